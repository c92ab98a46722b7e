import { fc, test } from "@fast-check/vitest";
import { describe, expect, it } from "vitest";
import type { Geometry } from "../src/levels/level.ts";
import { LEVELS, levelByName, levelOf } from "../src/levels/levels.ts";
import { raid0 } from "../src/levels/raid0.ts";
import { raid4 } from "../src/levels/raid4.ts";
import { raid5 } from "../src/levels/raid5.ts";
import { raid6 } from "../src/levels/raid6.ts";

function geometry(level: number, memberSizes: readonly number[], chunkSize = 65_536): Geometry {
  const layout = levelOf(level)!.layoutDefault(memberSizes.length);
  return { level, layout, chunkSize, memberCount: memberSizes.length, memberSizes };
}

describe("levels", () => {
  it("are found by number and by all the names that mdadm takes", () => {
    expect(LEVELS.map(({ number }) => number)).toEqual([-1, 0, 1, 4, 5, 6, 10]);
    for (const level of LEVELS) {
      expect(levelOf(level.number)).toBe(level);
      expect(levelByName(level.name)).toBe(level);
    }
    expect(
      ["0", "1", "4", "5", "6", "10", "stripe", "mirror"].map((name) => levelByName(name)?.name),
    ).toEqual(["raid0", "raid1", "raid4", "raid5", "raid6", "raid10", "raid0", "raid1"]);
    expect(["-1", "7", "RAID5", ""].map(levelByName)).toEqual([null, null, null, null]);
    expect([-4, 2, 3, 7, 11].map(levelOf)).toEqual([null, null, null, null, null]);
  });

  it.each([...LEVELS])("$name takes each of its layout's names for the same layout", (level) => {
    const names = [-1, 0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 16, 17, 18, 19, 20, 0x102, 0x201]
      .map((layout) => [level.layoutName(layout, 4), layout] as const)
      .filter(([name]) => name !== null && name !== "" && name !== "-unknown-");
    for (const [name, layout] of names) expect(level.layoutNumber(name!)).toBe(layout);
    expect(level.layoutName(level.layoutDefault(4), 4)).not.toBeNull();
    expect(level.layoutNumber("no such layout")).toBeNull();
  });

  it("take the further names that mdadm has for layouts", () => {
    expect(["default", "la", "ra", "ls", "rs", "ddf-zero-restart"].map(raid5.layoutNumber)).toEqual([
      2, 0, 1, 2, 3, 1,
    ]);
    expect(["default", "la", "ra", "ls", "rs", "ddf-zero-restart"].map(raid6.layoutNumber)).toEqual([
      2, 0, 1, 2, 3, 8,
    ]);
    expect(["dangerous", "1", "2"].map(raid0.layoutNumber)).toEqual([0, 1, 2]);
    expect(raid0.layoutName(0, 3)).toBe("-unknown-");
    expect([raid0.layoutName(3, 3), raid5.layoutName(6, 3), raid6.layoutName(7, 5)]).toEqual([
      null,
      null,
      null,
    ]);
    expect(raid4.layoutName(5, 3)).toBe("");
  });
});

describe("levels of data and parity", () => {
  test.prop([
    fc.constantFrom(raid4, raid5, raid6),
    fc.array(fc.integer({ min: 65_536, max: 2 ** 40 }), { minLength: 4, maxLength: 10 }),
  ])("use the whole chunks of the smallest member", (level, memberSizes) => {
    const shape = geometry(level.number, memberSizes);
    let whole = 0;
    for (let bit = 2 ** 40; bit >= 65_536; bit /= 2)
      if (memberSizes.every((size) => size >= whole + bit)) whole += bit;
    expect(level.syncSizeOf(shape)).toBe(whole);
    expect(level.sizeOf(shape)).toBe(whole * (memberSizes.length - (level === raid6 ? 2 : 1)));
  });

  it.each([
    [raid4, 1],
    [raid5, 1],
    [raid6, 2],
  ] as const)("survive as many losses as there are parities: $0.name", (level, parityCount) => {
    const shape = geometry(level.number, [65_536, 65_536, 65_536, 65_536, 65_536]);
    for (let lost = 0; lost < 2 ** 5; lost++) {
      const count = [0, 1, 2, 3, 4].filter((member) => (lost >> member) & 1).length;
      expect(level.survives(shape, (member) => ((lost >> member) & 1) === 0)).toBe(count <= parityCount);
    }
  });
});

describe("RAID0 with a chunk that is no power of two", () => {
  it("is as long as the kernel makes it: 12 KiB chunks on three members of 7 MiB", () => {
    expect(raid0.sizeOf(geometry(0, [7_340_032, 7_340_032, 7_340_032], 12_288))).toBe(42_936 * 512);
  });
});

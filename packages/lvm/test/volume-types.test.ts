import { openTree, readBytes } from "@cev/core";
import { describe, expect, test } from "vitest";
import { EXTENT_SIZE, linear, segment, uuidOf, volume } from "./support/group-image.ts";
import type { GroupRecipe } from "./support/group-image.ts";
import { HIDDEN, extents, names, openWithEngines as open } from "./support/open-with-engines.ts";
import { environment, readAll } from "./support/open.ts";

function moved(extentsMoved: number): GroupRecipe["volumes"] {
  return {
    root: linear(uuidOf("r"), [[2, "pvmove0", 0]], '["READ", "WRITE", "VISIBLE", "LOCKED"]'),
    pvmove0: volume(
      uuidOf("m"),
      [
        segment(
          `type = "mirror"\nmirror_count = 2\nextents_moved = ${extentsMoved}\nmirrors = ["pv0", 3, "pv1", 8]`,
          2,
        ),
      ],
      '["READ", "WRITE", "PVMOVE", "LOCKED"]',
    ),
  };
}

describe("extents that are being moved", () => {
  test.each([
    ["not yet copied are those they are moved from", 0, [0, 3], [0, 4]],
    ["half copied are those they are moved from", 1, [0, 3], [0, 4]],
    ["all copied are those they are moved to", 2, [1, 8], [1, 9]],
  ] as const)("%s", async (_, extentsMoved, first, second) => {
    const { devices, disks, problems } = await open(moved(extentsMoved));
    expect(problems).toEqual([]);
    expect(Buffer.from(await readAll(devices[0]!.layer))).toEqual(extents(disks, first, second));
  });

  test("need only the side that counts", async () => {
    expect(names(await open(moved(1), { without: [1] }))).toEqual(["vg0/root"]);
    expect(names(await open(moved(1), { without: [0] }))).toEqual([]);
    expect(names(await open(moved(2), { without: [0] }))).toEqual(["vg0/root"]);
  });
});

const mirror = {
  root: volume(uuidOf("r"), [
    segment(
      'type = "mirror"\nmirror_count = 2\nmirror_log = "root_mlog"\nregion_size = 4\nmirrors = ["root_mimage_0", 0, "root_mimage_1", 0]',
      2,
    ),
  ]),
  root_mlog: linear(uuidOf("0"), [[1, "pv2", 0]], HIDDEN),
  root_mimage_0: linear(uuidOf("1"), [[2, "pv0", 4]], HIDDEN),
  root_mimage_1: linear(uuidOf("2"), [[2, "pv1", 6]], HIDDEN),
};

describe("a mirror", () => {
  test("is read from its first image, and says what its log says", async () => {
    const { devices, disks, asked } = await open(mirror);
    expect(asked).toEqual([]);
    expect(devices).toMatchObject([
      {
        state: "active, not in sync",
        details: { engine: { details: { regionSize: 2048, regionCount: 4, cleanCount: 0 } } },
      },
    ]);
    expect(disks.map(({ writeCount }) => writeCount)).toEqual([0, 0, 0]);
    expect(Buffer.from(await readAll(devices[0]!.layer))).toEqual(extents(disks, [0, 4], [0, 5]));
  });

  test.each([
    ["an image", 1],
    ["its log", 2],
  ])("without %s is opened read-only", async (_, index) => {
    const { devices, disks } = await open(mirror, { without: [index] });
    expect(devices).toMatchObject([{ name: "vg0/root", state: "active, read-only, degraded" }]);
    expect(Buffer.from(await readAll(devices[0]!.layer))).toEqual(extents(disks, [0, 4], [0, 5]));
  });

  test("without any image is refused", async () => {
    const { devices, problems } = await open(mirror, { without: [0, 1] });
    expect(devices).toEqual([]);
    expect(problems.at(-1)).toMatchObject({ code: "CEV_DEGRADED", device: "vg0/root" });
  });
});

describe("targets without extents", () => {
  test("of zeroes read as zeroes, and those of errors fail while the rest of the volume does not", async () => {
    const hole = `segment2 {\nstart_extent = 1\nextent_count = 1\ntype = "error"\n}`;
    const { devices, disks } = await open({
      zeroes: volume(uuidOf("z"), [segment('type = "zero"', 2)]),
      holed: volume(uuidOf("h"), [
        segment('type = "striped"\nstripe_count = 1\nstripes = ["pv0", 7]', 1),
        hole,
      ]),
    });
    expect((await readAll(devices[0]!.layer)).every((byte) => byte === 0)).toBe(true);
    expect(devices[0]!.state).toBe("active, read-only");
    const { layer } = devices[1]!;
    await openTree(layer);
    expect(Buffer.from(await readBytes(layer, environment, 0, EXTENT_SIZE))).toEqual(extents(disks, [0, 7]));
    await expect(readBytes(layer, environment, 0, 2 * EXTENT_SIZE)).rejects.toMatchObject({
      code: "CEV_MEDIUM",
    });
  });
});

describe("what hostile metadata may say", () => {
  test("volumes nested ever deeper are refused", async () => {
    const nested = Object.fromEntries(
      Array.from({ length: 20 }, (_, index) => [
        `v${index}`,
        linear(
          uuidOf(String.fromCharCode(97 + index)),
          [[1, index === 19 ? "pv0" : `v${index + 1}`, 0]],
          index === 0 ? undefined : HIDDEN,
        ),
      ]),
    );
    const { devices, problems } = await open(nested);
    expect(devices).toEqual([]);
    expect(problems.map(({ device, code }) => [device, code])).toEqual([["vg0/v0", "CEV_BAD_METADATA"]]);
    // From where they are less deep they can be opened.
    expect(names(await open(nested, { volumes: ["v10"] }))).toEqual(["vg0/v10"]);
  });
});

import { describe, expect, it } from "vitest";
import { Op } from "@cev/core";
import { readGolden, sha256 } from "./support/golden.ts";
import type { Golden } from "./support/golden.ts";
import { MemoryLayer } from "./support/memory-layer.ts";
import { openArray } from "./support/open-array.ts";

function disksOf(golden: Golden): MemoryLayer[] {
  return golden.images.map((image, index) => new MemoryLayer(`disk${index}.img`, Uint8Array.from(image)));
}

describe.each(["stack", "raid5-4k", "raid5-512k"])("the kernel's array %s", (name) => {
  const golden = readGolden(name);

  it("S5 reads to the last byte, with the members in any order, and nothing is written", async () => {
    const disks = disksOf(golden);
    const { device, opened, problems } = await openArray([...disks].reverse(), { isReadOnly: true });
    expect(device.size).toBe(golden.arraySize);
    expect(sha256(await device.read(0, device.size))).toBe(golden.arrayHash);
    expect(opened.name).toBe(`md/${golden.facts["array.name"] ?? ""}`);
    expect(opened.state).toBe("clean");
    expect(opened.details["uuid"]).toBe(golden.facts["array.uuid"]);
    expect(problems).toEqual([]);
    await device.close();
    for (const disk of disks) expect(disk.log.every(({ op }) => op === Op.read)).toBe(true);
  });

  it("S5 reads to the last byte with any one member missing", async () => {
    for (let missing = 0; missing < golden.images.length; missing++) {
      const disks = disksOf(golden).filter((_, index) => index !== missing);
      const { device, opened, problems } = await openArray(disks);
      expect(sha256(await device.read(0, device.size))).toBe(golden.arrayHash);
      expect(opened.state).toBe("clean, degraded");
      expect(problems.map(({ code }) => code)).toEqual(["CEV_DEGRADED"]);
      expect(device.isReadOnly).toBe(true);
      await device.close();
    }
  });
});

describe("the kernel's array raid5-stale", () => {
  const golden = readGolden("raid5-stale");

  it("is read without the member that fell behind, which is named", async () => {
    const { device, problems } = await openArray(disksOf(golden));
    expect(sha256(await device.read(0, device.size))).toBe(golden.arrayHash);
    expect(
      problems.some(({ device: source, code }) => source === "disk1.img" && code === "CEV_DEGRADED"),
    ).toBe(true);
    await device.close();
  });
});

describe("the kernel's array raid5-dirty", () => {
  const golden = readGolden("raid5-dirty");

  it("is read as it is", async () => {
    const { device, opened } = await openArray(disksOf(golden), { isReadOnly: true });
    expect(opened.state).toBe("dirty");
    expect(sha256(await device.read(0, device.size))).toBe(golden.arrayHash);
    await device.close();
  });

  it("gets its parity made right when it is opened for writing, and is clean from then on", async () => {
    const disks = disksOf(golden);
    const first = await openArray(disks);
    expect(sha256(await first.device.read(0, first.device.size))).toBe(golden.arrayHash);
    await first.layer.idle();
    await first.device.close();
    for (let missing = 0; missing < disks.length; missing++) {
      const { device, opened } = await openArray(disks.filter((_, index) => index !== missing));
      expect(opened.state).toBe("clean, degraded");
      expect(sha256(await device.read(0, device.size))).toBe(golden.arrayHash);
      await device.close();
    }
  });

  it("with a member missing reads nothing that follows from a parity in doubt, and is not written", async () => {
    const { device, problems } = await openArray(disksOf(golden).slice(1), { canWriteDegraded: true });
    expect(device.isReadOnly).toBe(true);
    expect(problems.map(({ code }) => code)).toContain("CEV_DEGRADED");
    await expect(device.read(0, device.size)).rejects.toMatchObject({ code: "CEV_DEGRADED" });
    await device.close();
  });

  it("with a member missing is read and written when that is forced", async () => {
    const forced = { canWriteDegraded: true, options: { force: true } };
    const { device } = await openArray(disksOf(golden).slice(1), forced);
    expect(sha256(await device.read(0, device.size))).toBe(golden.arrayHash);
    await device.write(4096, new Uint8Array(4096).fill(7));
    expect((await device.read(4096, 4096)).every((byte) => byte === 7)).toBe(true);
    await device.close();
  });
});

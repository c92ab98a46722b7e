import { CevError, Op } from "@cev/core";
import { describe, expect, it } from "vitest";
import { checksumOf } from "../src/metadata/superblock-bytes.ts";
import { readGolden, sha256 } from "./support/golden.ts";
import type { Golden } from "./support/golden.ts";
import { MemoryLayer } from "./support/memory-layer.ts";
import { openAny } from "./support/open-array.ts";

function disksOf(golden: Golden): MemoryLayer[] {
  return golden.images.map((image, index) => new MemoryLayer(`disk${index}.img`, Uint8Array.from(image)));
}

describe("arrays that the kernel left in the middle of something", () => {
  it.each([
    ["raid-reshape", "clean"],
    ["raid-reshape-offset", "clean"],
    ["raid-reshape-backwards", "clean"],
    ["raid-ppl", "clean"],
    ["raid-badblocks", "clean"],
    ["raid-recovering", "clean, degraded"],
    ["raid-resyncing", "dirty"],
    ["raid-replacement", "clean"],
    ["raid-spare", "clean"],
    ["raid-090", "clean"],
  ])("%s reads to the last byte, and nothing is written", async (name, state) => {
    const golden = readGolden(name);
    const disks = disksOf(golden);
    const { device, opened } = await openAny([...disks].reverse(), { isReadOnly: true });
    expect(device.size).toBe(golden.arraySize);
    expect(opened.state).toBe(state);
    expect(sha256(await device.read(0, device.size))).toBe(golden.arrayHash);
    await device.close();
    for (const disk of disks) expect(disk.log.every(({ op }) => op === Op.read)).toBe(true);
  });

  it.each([
    "raid-reshape",
    "raid-reshape-offset",
    "raid-reshape-backwards",
    "raid-ppl",
    "raid-spare",
    "raid-090",
  ])("%s reads to the last byte with any one member missing", async (name) => {
    const golden = readGolden(name);
    for (let missing = 0; missing < golden.images.length; missing++) {
      const disks = disksOf(golden).filter((_, index) => index !== missing);
      const { device } = await openAny(disks);
      expect(sha256(await device.read(0, device.size)), `without disk${missing}`).toBe(golden.arrayHash);
      await device.close();
    }
  });

  it.each([
    ["raid-reshape", "reshaped"],
    ["raid-ppl", "partial parity log"],
  ])("%s is read-only, and says why", async (name, words) => {
    const { device, problems } = await openAny(disksOf(readGolden(name)));
    expect(device.isReadOnly).toBe(true);
    expect(problems).toMatchObject([
      { code: "CEV_DEGRADED", message: expect.stringContaining(words) as string },
    ]);
    await expect(device.write(0, new Uint8Array(512))).rejects.toBeInstanceOf(CevError);
    await device.close();
  });

  it("raid-reshape reads the same in pieces across its position", async () => {
    const golden = readGolden("raid-reshape");
    const { device, opened } = await openAny(disksOf(golden));
    const position = (opened.details["reshape"] as { position: number }).position;
    expect(position).toBeGreaterThan(0);
    expect(position).toBeLessThan(device.size);
    const around = await device.read(position - 65_536, 131_072);
    const before = await device.read(position - 65_536, 65_536);
    const after = await device.read(position, 65_536);
    expect(Buffer.compare(around, Buffer.concat([before, after]))).toBe(0);
    await device.close();
  });

  it.each([
    ["raid-ppl", "partial parity log"],
    ["raid-reshape", "being reshaped"],
  ])("%s that was not shut down cleanly is refused by name where that is in doubt", async (name, words) => {
    const disks = disksOf(readGolden(name));
    for (const { bytes } of disks) makeDirty(bytes);
    const failure = await openAny(disks.slice(name === "raid-reshape" ? 1 : 0)).then(
      () => null,
      (error: unknown) => error as CevError,
    );
    expect(["CEV_UNKNOWN_FEATURE", "CEV_DEGRADED"]).toContain(failure?.code);
    expect(failure!.message).toContain(words);
    for (const disk of disks) expect(disk.writeCount).toBe(0);
  });

  it("raid-reshape without two of its members is refused", async () => {
    await expect(openAny(disksOf(readGolden("raid-reshape")).slice(2))).rejects.toMatchObject({
      code: "CEV_DEGRADED",
    });
  });

  it("raid-journal is refused by name where what is in its journal is not known to be on the members", async () => {
    const disks = disksOf(readGolden("raid-journal"));
    await expect(openAny(disks)).rejects.toMatchObject({ code: "CEV_UNKNOWN_FEATURE" });
    await expect(openAny(disks.slice(0, 3))).rejects.toMatchObject({ code: "CEV_DEGRADED" });
    for (const disk of disks) expect(disk.writeCount).toBe(0);
  });
});

/** Marks a superblock of version 1.2 as that of an array that was being written. */
function makeDirty(image: Uint8Array): void {
  const view = new DataView(image.buffer, 4096, 4096);
  view.setBigUint64(208, 0n, true);
  view.setUint32(216, checksumOf(image.subarray(4096, 8192), 256 + 2 * view.getUint32(220, true), 216), true);
}

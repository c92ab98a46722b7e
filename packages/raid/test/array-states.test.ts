import { CevError, Op } from "@cev/core";
import { describe, expect, it } from "vitest";
import { checksumOf } from "../src/metadata/superblock-bytes.ts";
import { readJournal } from "../src/metadata/journal.ts";
import { stripeLayout } from "../src/levels/levels.ts";
import { StripeMap } from "../src/levels/stripe.ts";
import { readSuperblock } from "../src/metadata/member-scan.ts";
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

  it("raid-reshape at a position where old and new stripes overlap is refused, clean or not", async () => {
    const disks = disksOf(readGolden("raid-reshape"));
    for (const { bytes } of disks) {
      // A stripe of three chunks of data has been moved.
      new DataView(bytes.buffer, 4096).setBigUint64(104, 384n, true);
      putChecksum(bytes);
    }
    await expect(openAny(disks)).rejects.toMatchObject({
      code: "CEV_DEGRADED",
      message: expect.stringContaining("overlap") as string,
    });
  });

  it("raid-reshape without two of its members is refused", async () => {
    await expect(openAny(disksOf(readGolden("raid-reshape")).slice(2))).rejects.toMatchObject({
      code: "CEV_DEGRADED",
    });
  });

  it("raid-journal is read where all that the journal holds is on the members", async () => {
    const golden = readGolden("raid-journal");
    const disks = disksOf(golden);
    const { device, problems } = await openAny(disks);
    expect(device.isReadOnly).toBe(true);
    expect(problems[0]!.message).toContain("journal");
    expect(sha256(await device.read(0, device.size))).toBe(golden.arrayHash);
    await device.close();
    for (const disk of disks) expect(disk.writeCount).toBe(0);
  });

  it("raid-journal keeps its journal while it is open, and describes it with the members", async () => {
    const disks = disksOf(readGolden("raid-journal"));
    const { device } = await openAny(disks);
    expect(disks.map((disk) => disk.claims.count)).toEqual(disks.map(() => 1));
    const { lowers } = device.layer.describe();
    expect(lowers).toHaveLength(disks.length);
    await device.close();
    expect(disks.map((disk) => disk.claims.count)).toEqual(disks.map(() => 0));
  });

  it("raid-journal is refused by name where the journal holds more, or there is nothing to compare it with", async () => {
    const golden = readGolden("raid-journal");
    const disks = disksOf(golden);
    const journal = { source: "disk3.img", size: disks[3]!.bytes.length, read: readOf(disks[3]!) };
    const superblock = await readSuperblock(journal);
    const pages = await readJournal(journal, superblock!);
    expect(pages!.length).toBeGreaterThan(0);
    const { offset } = pages!.find(({ kind }) => kind === "p")!;
    // The members lack a page of parity that is in the journal.
    for (const disk of disks.slice(0, 3)) disk.bytes[2048 * 512 + offset]! ^= 1;
    await expect(openAny(disks)).rejects.toMatchObject({
      code: "CEV_UNKNOWN_FEATURE",
      message: expect.stringContaining("have not reached") as string,
    });
    const whole = disksOf(golden);
    await expect(openAny(whole.slice(0, 3))).rejects.toMatchObject({ code: "CEV_DEGRADED" });
    for (const disk of whole) expect(disk.writeCount).toBe(0);
  });
});

describe("raid-journal with a member missing or rebuilt in part", () => {
  const golden = readGolden("raid-journal");
  const DATA_START = 2048 * 512;

  /** The data pages that the journal holds, by the member that they belong on and the byte of its data. */
  async function loggedPlaces(): Promise<{ member: number; offset: number }[]> {
    const disks = disksOf(golden);
    const target = { source: "disk3.img", size: disks[3]!.bytes.length, read: readOf(disks[3]!) };
    const superblock = (await readSuperblock(target))!;
    const { chunkSectors, memberCount } = superblock;
    const map = new StripeMap({
      layout: stripeLayout(superblock.level, superblock.layout)!,
      chunkSize: chunkSectors * 512,
      memberCount,
    });
    const pages = (await readJournal(target, superblock))!.filter(({ kind }) => kind === "data");
    return pages.map(({ offset }) => ({ member: map.memberOf(offset), offset: map.memberOffsetOf(offset) }));
  }

  it("is read without any one: what is reconstructed is compared with the journal", async () => {
    for (let missing = 0; missing < 3; missing++) {
      const disks = disksOf(golden).filter((_, index) => index !== missing);
      const { device } = await openAny(disks);
      expect(device.isReadOnly).toBe(true);
      expect(sha256(await device.read(0, device.size)), `without disk${missing}`).toBe(golden.arrayHash);
      await device.close();
      for (const disk of disks) expect(disk.writeCount).toBe(0);
    }
  });

  it("is refused where what is reconstructed is not what the journal holds; then it says how to go on", async () => {
    const [{ member, offset }] = (await loggedPlaces()) as [{ member: number; offset: number }];
    const others = [0, 1, 2].filter((index) => index !== member);
    for (const spoiled of others) {
      const disks = disksOf(golden);
      disks[spoiled]!.bytes[DATA_START + offset]! ^= 1;
      const left = disks.filter((_, index) => index !== member);
      const failure = await openAny(left).then(
        () => null,
        (error: unknown) => error as CevError,
      );
      expect(failure?.code).toBe("CEV_UNKNOWN_FEATURE");
      expect(failure?.place.hint).toContain("mdadm --assemble");
      expect(failure?.place.hint).toContain("force");
    }
  });

  it.each([
    ["above", 0],
    ["below", 4096],
  ])(
    "is read while one is rebuilt, with what the journal holds %s where that has come",
    async (_where, more) => {
      const [{ member, offset }] = (await loggedPlaces()) as [{ member: number; offset: number }];
      const disks = disksOf(golden);
      makeRebuilding(disks[member]!.bytes, (offset + more) / 512);
      const { device, opened } = await openAny(disks);
      expect(opened.state).toBe("clean, degraded");
      expect(sha256(await device.read(0, device.size))).toBe(golden.arrayHash);
      await device.close();
      // What counts is what would be read.
      disks[member]!.bytes[DATA_START + offset]! ^= 1;
      const again = openAny(disks).then(({ device: other }) => other.close());
      if (more === 0) await again;
      else await expect(again).rejects.toMatchObject({ code: "CEV_UNKNOWN_FEATURE" });
    },
  );

  it("is read by force whatever the journal holds, and the message says what may be lost", async () => {
    const spoiled = disksOf(golden);
    const [{ member, offset }] = (await loggedPlaces()) as [{ member: number; offset: number }];
    spoiled[member]!.bytes[DATA_START + offset]! ^= 1;
    for (const disks of [spoiled, disksOf(golden).slice(0, 3)]) {
      const { device, problems } = await openAny(disks, { options: { force: true } });
      expect(device.isReadOnly).toBe(true);
      expect(problems.at(-1)!.message).toContain("what was written last may be lost");
      await device.close();
      for (const disk of disks) expect(disk.writeCount).toBe(0);
    }
  });
});

function readOf({ bytes }: MemoryLayer): (offset: number, length: number) => Promise<Uint8Array> {
  return (offset, length) => Promise.resolve(bytes.slice(offset, offset + length));
}

/** Marks a superblock of version 1.2 as that of an array that was being written. */
function makeDirty(image: Uint8Array): void {
  new DataView(image.buffer, 4096).setBigUint64(208, 0n, true);
  putChecksum(image);
}

/** Marks a member of version 1.2 as rebuilt up to a sector of its data. */
function makeRebuilding(image: Uint8Array, recoverySectors: number): void {
  const view = new DataView(image.buffer, 4096, 4096);
  view.setUint32(8, view.getUint32(8, true) | 2, true);
  view.setBigUint64(152, BigInt(recoverySectors), true);
  putChecksum(image);
}

function putChecksum(image: Uint8Array): void {
  const view = new DataView(image.buffer, 4096, 4096);
  view.setUint32(216, checksumOf(image.subarray(4096, 8192), 256 + 2 * view.getUint32(220, true), 216), true);
}

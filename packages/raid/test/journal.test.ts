import { MetadataError } from "@cev/core";
import { fc, test } from "@fast-check/vitest";
import { describe, expect, it } from "vitest";
import { crc32c } from "@cev/core";
import { readJournal } from "../src/metadata/journal.ts";
import { parseUuid } from "../src/metadata/identity.ts";
import { FeatureFlag } from "../src/metadata/superblock-features.ts";
import { Role } from "../src/metadata/superblock.ts";
import type { Superblock } from "../src/metadata/superblock.ts";
import { makeSuperblock } from "./support/make-array.ts";

const DATA_START = 16_384;
const LOG_LENGTH = 64 * 1024;
const JOURNAL: Superblock = {
  ...makeSuperblock(4),
  features: FeatureFlag.journal,
  roles: [0, 1, 2, 3, Role.journal],
  dataSizeSectors: LOG_LENGTH / 512,
};
const SEED = crc32c(0xffff_ffff, parseUuid(JOURNAL.arrayUuid)!);

const target = (image: Uint8Array) => ({
  source: "journal.img",
  size: image.length,
  read: (offset: number, length: number) => Promise.resolve(image.slice(offset, offset + length)),
});

/** A log whose blocks begin at the byte `start` of it; each with data for pages of the array. */
function logOf(start: number, blocks: readonly (readonly number[])[]): Uint8Array {
  const image = new Uint8Array(DATA_START + LOG_LENGTH + 4096);
  const at = (position: number) => DATA_START + (position % LOG_LENGTH);
  let position = start;
  blocks.forEach((pages, index) => {
    const view = new DataView(image.buffer, at(position), 4096);
    view.setUint32(0, 0x6433c509, true);
    view.setUint8(8, 1);
    view.setUint32(12, 32 + 20 * pages.length, true);
    view.setBigUint64(16, BigInt(100 + index), true);
    view.setBigUint64(24, BigInt((position % LOG_LENGTH) / 512), true);
    pages.forEach((page, which) => {
      const place = at(position + 4096 * (which + 1));
      const bytes = image.subarray(place, place + 4096).fill(page + 1);
      const payload = 32 + 20 * which;
      view.setUint32(payload + 4, 8, true);
      view.setBigUint64(payload + 8, BigInt(page * 8), true);
      view.setUint32(payload + 16, crc32c(SEED, bytes), true);
    });
    const block = image.subarray(at(position), at(position) + 4096);
    view.setUint32(4, crc32c(SEED, block), true);
    position += 4096 * (pages.length + 1);
  });
  return image;
}

const tailAt = (position: number): Superblock => ({ ...JOURNAL, journalTailSectors: position / 512 });

describe("CRC-32C", () => {
  it("gives the value that is known for nine digits", () => {
    expect(~crc32c(0xffff_ffff, Buffer.from("123456789")) >>> 0).toBe(0xe3069283);
  });
});

describe("a write journal", () => {
  it.each([0, 8192, LOG_LENGTH - 8192])("is read from its tail on, round the end: %i", async (start) => {
    const image = logOf(start, [[3, 4], [5], [4]]);
    const pages = await readJournal(target(image), tailAt(start));
    expect(pages!.map(({ kind, offset }) => [kind, offset / 4096])).toEqual([
      ["data", 3],
      ["data", 4],
      ["data", 5],
    ]);
    // What was logged last counts.
    const last = pages!.find(({ offset }) => offset === 4 * 4096)!;
    expect(last.at).toBe(DATA_START + ((start + 6 * 4096) % LOG_LENGTH));
  });

  it("ends before a block that was not written whole", async () => {
    const image = logOf(0, [[3], [4], [5]]);
    image[DATA_START + 3 * 4096 + 7]! ^= 1;
    expect((await readJournal(target(image), tailAt(0)))!.map(({ offset }) => offset / 4096)).toEqual([3]);
  });

  it("holds nothing where nothing of it stands at its tail", async () => {
    expect(await readJournal(target(logOf(0, [[3]])), tailAt(8192))).toEqual([]);
  });

  it.each([512, LOG_LENGTH, 2 ** 40])("whose tail is at byte %i is refused", async (position) => {
    await expect(readJournal(target(logOf(0, [])), tailAt(position))).rejects.toThrow(MetadataError);
  });

  test.prop([fc.array(fc.tuple(fc.nat(4095), fc.nat(255)), { minLength: 1, maxLength: 8 })])(
    "changed by an attacker ends somewhere, and never passes the device",
    async (changes) => {
      const image = logOf(0, [[3, 4], [5], [4]]);
      for (const [at, value] of changes) image[DATA_START + at] = value;
      const block = image.subarray(DATA_START, DATA_START + 4096);
      new DataView(image.buffer, DATA_START).setUint32(4, 0, true);
      new DataView(image.buffer, DATA_START).setUint32(4, crc32c(SEED, block), true);
      for (const { at } of (await readJournal(target(image), tailAt(0)))!) {
        expect(at).toBeGreaterThanOrEqual(DATA_START);
        expect(at + 4096).toBeLessThanOrEqual(DATA_START + LOG_LENGTH);
      }
    },
  );
});

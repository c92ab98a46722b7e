import { MetadataError } from "@cev/core";
import { fc, test } from "@fast-check/vitest";
import { describe, expect, it } from "vitest";
import { decodeBadBlocks, encodeBadBlocks } from "../src/metadata/bad-blocks.ts";
import type { BadRange } from "../src/metadata/bad-blocks.ts";
import { FeatureFlag } from "../src/metadata/superblock-features.ts";
import { readBadBlocks } from "../src/metadata/member-scan.ts";
import { makeSuperblock } from "./support/make-array.ts";

const SHAPE = { shift: 0, dataStart: 8192, dataLength: 1 << 20 };
const PLACE = { ...SHAPE, source: "disk0.img", byteOffset: 4096, deviceSize: 2 << 20 };

/** A log with these entries: sector of the device, and sectors. */
function logOf(entries: readonly (readonly [number | bigint, number])[], length = 4096): Uint8Array {
  const bytes = new Uint8Array(length).fill(0xff);
  const view = new DataView(bytes.buffer);
  entries.forEach(([sector, count], index) =>
    view.setBigUint64(8 * index, (BigInt(sector) << 10n) | BigInt(count), true),
  );
  return bytes;
}

const ranges = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 900 })), { maxLength: 12 })
  .map((pairs) => {
    const list: BadRange[] = [];
    let at = 0;
    for (const [gap, length] of pairs) {
      const start = at + gap * 512;
      at = start + length * 512;
      if (at <= SHAPE.dataLength) list.push({ start, end: at });
    }
    return list;
  });

describe("a bad-block log", () => {
  it("counts sectors from the device's begin, ranges count bytes from the data's", () => {
    expect(
      decodeBadBlocks(
        logOf([
          [16, 1],
          [24, 8],
        ]),
        PLACE,
      ),
    ).toEqual([
      { start: 0, end: 512 },
      { start: 4096, end: 8192 },
    ]);
  });

  test.prop([ranges])("decodes to what was encoded", (list) => {
    expect(decodeBadBlocks(encodeBadBlocks(list, SHAPE, 4096)!, PLACE)).toEqual(list);
  });

  test.prop([ranges, fc.integer({ min: 1, max: 6 })])(
    "of large blocks covers what was bad",
    (list, shift) => {
      const place = { ...PLACE, shift };
      const decoded = decodeBadBlocks(encodeBadBlocks(list, place, 4096)!, place);
      for (const { start, end } of list)
        expect(decoded.some((range) => range.start <= start && range.end >= end)).toBe(true);
    },
  );

  it("splits what is longer than an entry can say, and joins it again", () => {
    const bytes = encodeBadBlocks([{ start: 0, end: 600 * 512 }], SHAPE, 4096)!;
    const view = new DataView(bytes.buffer);
    expect(view.getBigUint64(0, true)).toBe((16n << 10n) | 512n);
    expect(view.getBigUint64(8, true)).toBe((528n << 10n) | 88n);
    expect(decodeBadBlocks(bytes, PLACE)).toEqual([{ start: 0, end: 600 * 512 }]);
  });

  it("that is full has no end, and no room for more", () => {
    const list = Array.from({ length: 64 }, (_, index) => ({ start: index * 1024, end: index * 1024 + 512 }));
    const bytes = encodeBadBlocks(list, SHAPE, 512)!;
    expect(decodeBadBlocks(bytes, PLACE)).toEqual(list);
    expect(encodeBadBlocks([...list, { start: 100_352, end: 100_864 }], SHAPE, 512)).toBeNull();
  });

  it("tells only of what lies in the data", () => {
    expect(
      decodeBadBlocks(
        logOf([
          [0, 4],
          [14, 4],
          [2063, 4],
          [3000, 8],
        ]),
        PLACE,
      ),
    ).toEqual([
      { start: 0, end: 1024 },
      { start: 2047 * 512, end: 1 << 20 },
    ]);
  });

  it.each<[string, readonly (readonly [number | bigint, number])[], number]>([
    [
      "overlaps the one before",
      [
        [16, 8],
        [20, 8],
      ],
      8,
    ],
    [
      "is out of order",
      [
        [64, 8],
        [16, 8],
      ],
      8,
    ],
    [
      "has no length",
      [
        [16, 8],
        [32, 0],
      ],
      8,
    ],
    ["passes the end of the device", [[4090, 8]], 0],
    ["lies beyond everything", [[(1n << 54n) - 1n, 8]], 0],
  ])("with an entry that %s is refused with its place", (_name, entries, at) => {
    try {
      decodeBadBlocks(logOf(entries), PLACE);
      expect.unreachable("the log was accepted");
    } catch (error) {
      expect(error).toBeInstanceOf(MetadataError);
      expect((error as MetadataError).place).toMatchObject({
        source: "disk0.img",
        structure: "md bad-block log",
        field: "entries",
        byteOffset: 4096 + at,
      });
    }
  });

  test.prop([fc.uint8Array({ maxLength: 4096 }), fc.nat(32)])(
    "made of noise is refused, or in order",
    (bytes, shift) => {
      try {
        let end = -1;
        for (const range of decodeBadBlocks(bytes, { ...PLACE, shift })) {
          expect(range.start).toBeGreaterThan(end);
          expect(range.end).toBeGreaterThan(range.start);
          end = range.end;
        }
      } catch (error) {
        expect(error).toBeInstanceOf(MetadataError);
      }
    },
  );

  it("with any one bit flipped is refused, or names sorted ranges of the data", () => {
    const plain = encodeBadBlocks(
      [
        { start: 512, end: 4096 },
        { start: 8192, end: 524_288 },
      ],
      SHAPE,
      512,
    )!;
    for (let bit = 0; bit < plain.length * 8; bit++) {
      const bytes = Uint8Array.from(plain);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      try {
        const found = decodeBadBlocks(bytes, PLACE);
        expect(decodeBadBlocks(encodeBadBlocks(found, SHAPE, 4096)!, PLACE)).toEqual(found);
        for (const { start, end } of found) expect(start >= 0 && end <= SHAPE.dataLength).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(MetadataError);
        expect((error as MetadataError).place.field).toBe("entries");
      }
    }
  });

  it("is read only where a superblock says that it has entries", async () => {
    const image = new Uint8Array(65_536);
    image.set(logOf([[32, 8]], 512), 4096 + 8192);
    const target = {
      source: "disk0.img",
      size: image.length,
      read: (offset: number, length: number) => Promise.resolve(image.slice(offset, offset + length)),
    };
    const superblock = { ...makeSuperblock(0), badBlockSectors: 1, badBlockOffsetSectors: 16 };
    expect(await readBadBlocks(target, superblock)).toEqual([]);
    const features = FeatureFlag.badBlocks;
    expect(await readBadBlocks(target, { ...superblock, features })).toEqual([{ start: 0, end: 4096 }]);
  });
});

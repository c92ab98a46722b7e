import { fc, test } from "@fast-check/vitest";
import { describe, expect } from "vitest";
import { lvmCrc } from "../src/disk/crc.ts";
import { decodeMdaHeader, encodeMdaHeader, isIgnored, textByteOffset, textRanges } from "../src/disk/mda.ts";
import type { MdaHeader } from "../src/disk/mda.ts";
import { loadGolden } from "./support/golden.ts";

const place = { source: "d0", structure: "LVM2 metadata area 0", byteOffset: 4096 };
const plain: MdaHeader = {
  start: 4096,
  size: 61_440,
  committed: { offset: 59_904, size: 1958, checksum: 0x432fc2b4, flags: 0 },
  precommitted: null,
};

const headers: fc.Arbitrary<MdaHeader> = fc.integer({ min: 2, max: 4000 }).chain((sectors) => {
  const size = sectors * 512;
  const location = fc.record({
    offset: fc.integer({ min: 512, max: size - 1 }),
    size: fc.integer({ min: 1, max: size - 512 }),
    checksum: fc.nat(0xffffffff),
    flags: fc.nat(0xffffffff),
  });
  return fc.record({
    start: fc.constant(4096),
    size: fc.constant(size),
    committed: fc.option(location),
    precommitted: fc.option(location),
  });
});

test.prop([headers])("what was encoded is decoded", (header) => {
  expect(decodeMdaHeader(encodeMdaHeader(header), place)).toEqual(header);
});

test.prop([headers])("a text lies within the ring, wraps at its end, and takes each byte once", (header) => {
  const { committed } = header;
  if (committed === null) return;
  const ranges = textRanges(header, committed);
  const seen = new Set<number>();
  for (let at = 0; at < committed.size; at += 1 + Math.floor(committed.size / 50)) {
    const inRing = (committed.offset - 512 + at) % (header.size - 512);
    expect(textByteOffset(ranges, at)).toBe(header.start + 512 + inRing);
    seen.add(textByteOffset(ranges, at));
  }
  expect(ranges.reduce((sum, { length }) => sum + length, 0)).toBe(committed.size);
  expect(ranges.length).toBe(committed.offset + committed.size > header.size ? 2 : 1);
});

test("the place behind the last byte of a text has an offset, too", () => {
  expect(
    textByteOffset(
      [
        { offset: 100, length: 8 },
        { offset: 50, length: 2 },
      ],
      10,
    ),
  ).toBe(52);
});

test("headers made by LVM2 are encoded to the same bytes", () => {
  for (const { bytes } of loadGolden("lvm").images) {
    const sector = bytes.slice(4096, 4608);
    expect(encodeMdaHeader(decodeMdaHeader(sector, place))).toEqual(sector);
  }
});

test("each byte flipped gives an error that names the area and the byte", () => {
  const bytes = encodeMdaHeader(plain);
  for (let at = 0; at < 512; at++) {
    const damaged = bytes.slice();
    damaged[at]! ^= 0x10;
    expect(() => decodeMdaHeader(damaged, place)).toThrow(
      expect.objectContaining({
        code: "CEV_BAD_METADATA",
        place: expect.objectContaining({ source: "d0", structure: "LVM2 metadata area 0" }) as unknown,
      }),
    );
  }
});

test("an area is ignored where its text is marked so", () => {
  expect(isIgnored(plain)).toBe(false);
  expect(isIgnored({ ...plain, committed: { ...plain.committed!, flags: 1 } })).toBe(true);
  expect(isIgnored({ ...plain, committed: null })).toBe(false);
  // As pvcreate --metadataignore y leaves it: there was never a text.
  const unused = { ...plain, committed: null, flags: 1 };
  expect(decodeMdaHeader(encodeMdaHeader(unused), place)).toEqual(unused);
  expect(isIgnored(unused)).toBe(true);
});

describe("with its checksum made right, is refused:", () => {
  const cases: readonly (readonly [string, (view: DataView) => void, string, string])[] = [
    ["another version", (view) => view.setUint32(20, 2, true), "version", "CEV_UNKNOWN_FEATURE"],
    ["an area that begins elsewhere", (view) => view.setUint32(24, 8192, true), "start", "CEV_BAD_METADATA"],
    ["an area without room", (view) => view.setUint32(32, 1023, true), "size", "CEV_BAD_METADATA"],
    ["an area of 2^60 bytes", (view) => view.setUint32(36, 1 << 28, true), "size", "CEV_BAD_METADATA"],
    [
      "a text over the header",
      (view) => view.setUint32(40, 511, true),
      "raw_locn[0].offset",
      "CEV_BAD_METADATA",
    ],
    [
      "a text beyond the area",
      (view) => view.setUint32(40, 61_440, true),
      "raw_locn[0].offset",
      "CEV_BAD_METADATA",
    ],
    ["an empty text", (view) => view.setUint32(48, 0, true), "raw_locn[0].size", "CEV_BAD_METADATA"],
    [
      "a text larger than the ring",
      (view) => view.setUint32(48, 61_440 - 511, true),
      "raw_locn[0].size",
      "CEV_BAD_METADATA",
    ],
    [
      "a text larger than any",
      (view) => {
        view.setUint32(36, 1, true);
        view.setUint32(48, 64 * 1024 * 1024 + 1, true);
      },
      "raw_locn[0].size",
      "CEV_BAD_METADATA",
    ],
  ];
  test.each(cases)("%s", (_, spoil, field, code) => {
    const bytes = encodeMdaHeader(plain);
    const view = new DataView(bytes.buffer);
    spoil(view);
    view.setUint32(0, lvmCrc(bytes.subarray(4)), true);
    expect(() => decodeMdaHeader(bytes, place)).toThrow(
      expect.objectContaining({ code, place: withField(field) }),
    );
  });
});

function withField(field: string): unknown {
  return expect.objectContaining({ field });
}

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  HEADER_SIZES,
  checkHeaderChecksum,
  decodeLuks2Header,
  encodeLuks2Header,
} from "../src/luks2/header.ts";
import { goldenImage, jsonOf } from "./luks2-image.ts";

const place = { source: "disk0.img", byteOffset: 0 };

const text = (lengthMax: number) =>
  fc
    .string({ maxLength: lengthMax })
    .filter((value) => !value.includes("\0") && Buffer.byteLength(value) <= lengthMax);
const headers = fc
  .record({
    isPrimary: fc.boolean(),
    headerSize: fc.constantFrom(...HEADER_SIZES.slice(0, 4)),
    sequenceId: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    label: text(47),
    checksumAlgorithm: fc.constantFrom("sha256", "sha512", "sha1"),
    salt: fc.uint8Array({ minLength: 64, maxLength: 64 }),
    uuid: fc.uuid(),
    subsystem: text(47),
  })
  .map((header) => ({
    ...header,
    headerOffset: header.isPrimary ? 0 : header.headerSize,
    checksum: new Uint8Array(64),
  }));

test("what is encoded is decoded again, and its checksum holds", () => {
  fc.assert(
    fc.property(headers, text(100), (header, json) => {
      const copy = encodeLuks2Header(header, json);
      const at = { source: "disk0.img", byteOffset: header.headerOffset };
      const decoded = decodeLuks2Header(copy, at);
      expect({ ...decoded, checksum: header.checksum }).toEqual(header);
      checkHeaderChecksum(decoded, copy, at);
      expect(copy.length).toBe(header.headerSize);
    }),
  );
});

test.each(["luks-pbkdf2", "luks-4096"])("both copies in %s are encoded to the same bytes again", (name) => {
  const { bytes } = goldenImage(name);
  for (const byteOffset of [0, 16_384]) {
    const copy = bytes.subarray(byteOffset, byteOffset + 16_384);
    const header = decodeLuks2Header(copy, { source: name, byteOffset });
    expect(Buffer.from(encodeLuks2Header(header, jsonOf(bytes, byteOffset))).equals(copy)).toBe(true);
  }
});

describe("what cannot be accepted is named with its byte", () => {
  const damaged: [field: string, byteOffset: number, code: string, damage: (copy: Uint8Array) => void][] = [
    ["magic", 0, "CEV_BAD_METADATA", (copy) => copy.set([0x4d], 0)],
    ["version", 6, "CEV_UNKNOWN_FEATURE", (copy) => copy.set([0, 3], 6)],
    ["hdr_size", 8, "CEV_BAD_METADATA", (copy) => copy.set([0x50], 14)],
    ["hdr_size", 8, "CEV_BAD_METADATA", (copy) => void copy.fill(0xff, 8, 16)],
    ["hdr_offset", 256, "CEV_BAD_METADATA", (copy) => copy.set([1], 263)],
    ["label", 24, "CEV_BAD_METADATA", (copy) => void copy.fill(0x41, 24, 72)],
    ["uuid", 168, "CEV_BAD_METADATA", (copy) => void copy.fill(0x41, 168, 208)],
    ["uuid", 168, "CEV_BAD_METADATA", (copy) => copy.set(Buffer.from("../x\0"), 168)],
    ["csum_alg", 72, "CEV_UNKNOWN_FEATURE", (copy) => copy.set(Buffer.from("crc32c\0"), 72)],
    ["csum", 448, "CEV_BAD_METADATA", (copy) => copy.set([1], 9000)],
  ];

  test.each(damaged)("%s at byte %i: %s", (field, byteOffset, code, damage) => {
    const copy = goldenImage().bytes.slice(0, 16_384);
    damage(copy);
    const check = (): void => checkHeaderChecksum(decodeLuks2Header(copy, place), copy, place);
    expect(check).toThrow(
      expect.objectContaining({ code, place: expect.objectContaining({ field, byteOffset }) as object }),
    );
  });

  test("a buffer that ends too early is no header", () => {
    for (const length of [0, 5, 8, 511])
      expect(() => decodeLuks2Header(goldenImage().bytes.slice(0, length), place)).toThrow(
        expect.objectContaining({ code: "CEV_BAD_METADATA" }),
      );
  });
});

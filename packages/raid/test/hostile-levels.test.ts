import { Op, environmentFrom, isCevError } from "@cev/core";
import { fc, test } from "@fast-check/vitest";
import { describe, expect } from "vitest";
import { planCreate } from "../src/metadata/create.ts";
import { checksumOf } from "../src/metadata/superblock-bytes.ts";
import type { SuperblockVersion } from "../src/metadata/superblock.ts";
import { MemoryLayer } from "./support/memory-layer.ts";
import { openAny } from "./support/open-array.ts";

const SIZE = 320 * 1024;
const MEMBERS: readonly (readonly [level: number, count: number])[] = [
  [-1, 2],
  [0, 3],
  [1, 2],
  [4, 3],
  [5, 3],
  [6, 4],
  [10, 3],
];

/** The images of a new array; the offset of the superblock. */
function imagesOf(level: number, count: number, version: SuperblockVersion): [Uint8Array[], number] {
  const { devices } = planCreate(
    {
      level,
      version,
      assumeClean: true,
      bitmap: level > 0 ? "internal" : "none",
      ...(level === 1 || level === -1 ? {} : { chunkSize: 4096 }),
      ...(version === "1.1" || version === "1.2" ? { dataOffset: 65_536 } : {}),
      members: Array.from({ length: count }, (_, index) => ({ name: `disk${index}`, size: SIZE })),
    },
    environmentFrom(globalThis),
  );
  const images = devices.map(({ header, bitmap }) => {
    const image = new Uint8Array(SIZE);
    if (bitmap !== null) image.set(bitmap.bytes, bitmap.offset);
    image.set(header.bytes, header.offset);
    return image;
  });
  return [images, devices[0]!.header.offset];
}

/** Makes the checksum of a changed superblock right, as an attacker would. */
function putChecksum(image: Uint8Array, at: number, version: SuperblockVersion): void {
  const bytes = image.subarray(at, at + 4096);
  const view = new DataView(bytes.buffer, bytes.byteOffset, 4096);
  if (version === "0.90") return view.setUint32(152, checksumOf(bytes, 4096, 152), true);
  const length = 256 + 2 * view.getUint32(220, true);
  if (length <= 4096) view.setUint32(216, checksumOf(bytes, length, 216), true);
}

const words = fc.oneof(
  fc.nat(20),
  fc.constantFrom(0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0xffff_fffe, 0x1_0000, 0x1_0201, 0x0101, 0xffff),
  fc.nat(0xffff_ffff),
  // Features, alone and together.
  fc.nat(12).map((bit) => 2 ** bit),
  fc.nat(0x1fff),
);
const edits = fc.array(
  fc.record({
    // All members alike, or one of them.
    member: fc.constantFrom(-1, -1, 0, 1),
    word: fc.oneof(fc.nat(65), fc.nat(65), fc.integer({ min: 128, max: 300 }), fc.constant(992)),
    value: words,
  }),
  { minLength: 1, maxLength: 5 },
);
/** Of bitmap and bad-block log, wherever they are. */
const spots = fc.array(fc.record({ at: fc.nat(3 * 4096), value: words }), { maxLength: 3 });

describe("arrays of all levels and versions made by an attacker, with right checksums", () => {
  test.prop(
    [
      fc.constantFrom(...MEMBERS),
      fc.constantFrom<SuperblockVersion[]>("0.90", "1.0", "1.1", "1.2"),
      edits,
      spots,
      fc.boolean(),
    ],
    { numRuns: 150 },
  )(
    "are opened or refused with a code; what is opened read-only is not written",
    async ([level, count], version, list, others, isReadOnly) => {
      const [images, at] = imagesOf(level, count, version);
      for (const [index, image] of images.entries()) {
        const view = new DataView(image.buffer);
        for (const spot of others)
          if (at + 4096 + spot.at + 4 <= SIZE) view.setUint32(at + 4096 + spot.at, spot.value, true);
        for (const { member, word, value } of list)
          if (member === -1 || member === index) view.setUint32(at + 4 * word, value, true);
        putChecksum(image, at, version);
      }
      const layers = images.map((image, index) => new MemoryLayer(`disk${index}`, image));
      try {
        const { device } = await openAny(layers, { isReadOnly, options: { force: isReadOnly } });
        try {
          const length = Math.min(device.size, 16_384);
          if (!device.isReadOnly) await device.write(0, new Uint8Array(length));
          await device.read(0, length);
          await device.read(device.size - length, length);
        } finally {
          await device.close();
        }
      } catch (error) {
        expect(isCevError(error), String(error instanceof Error ? error.stack : error)).toBe(true);
      }
      if (!isReadOnly) return;
      for (const { log } of layers) expect(log.every(({ op }) => op === Op.read)).toBe(true);
    },
  );
});

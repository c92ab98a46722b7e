import { Op, isCevError } from "@cev/core";
import { Random } from "@cev/test-kit";
import { fc, test } from "@fast-check/vitest";
import { describe, expect } from "vitest";
import { MemoryLayer } from "./support/memory-layer.ts";
import { makeImages } from "./support/make-array.ts";
import { openArray } from "./support/open-array.ts";

const SHAPE = { bitmapChunkSize: 8192 };

/** Makes the checksum of a changed superblock right, as an attacker would. */
function putChecksum(image: Uint8Array): void {
  const view = new DataView(image.buffer, 4096, 4096);
  const deviceCount = view.getUint32(220, true);
  if (256 + 2 * deviceCount > 4096) return;
  view.setUint32(216, 0, true);
  let sum = 0;
  for (let at = 0; at + 4 <= 256 + 2 * deviceCount; at += 4) sum += view.getUint32(at, true);
  if (deviceCount % 2 === 1) sum += view.getUint16(254 + 2 * deviceCount, true);
  view.setUint32(216, ((sum % 2 ** 32) + Math.floor(sum / 2 ** 32)) >>> 0, true);
}

const changes = fc.array(
  fc.record({
    member: fc.nat(3),
    // In the superblock, its table of roles, or the bitmap.
    at: fc.oneof(fc.nat(263), fc.nat(263), fc.integer({ min: 4096, max: 4096 + 260 })),
    value: fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff)),
  }),
  { minLength: 1, maxLength: 6 },
);

describe("metadata made by an attacker, with right checksums", () => {
  test.prop([changes, fc.boolean()], { numRuns: 150 })(
    "opens an array or gives an error with a code, and what is opened read-only is not written",
    async (list, isReadOnly) => {
      const images = makeImages(SHAPE);
      for (const { member, at, value } of list) images[member]![4096 + at] = value;
      for (const image of images) putChecksum(image);
      const layers = images.map((image, index) => new MemoryLayer(`disk${index}`, image));
      try {
        const { device } = await openArray(layers, { isReadOnly });
        const data = new Random(1).bytes(Math.min(device.size, 16_384));
        if (!device.isReadOnly) await device.write(0, data);
        await device.read(0, device.size);
        await device.close();
      } catch (error) {
        expect(isCevError(error), String(error)).toBe(true);
      }
      if (!isReadOnly) return;
      for (const { log } of layers) expect(log.every(({ op }) => op === Op.read)).toBe(true);
    },
  );
});

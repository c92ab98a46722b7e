import { MetadataError } from "@cev/core";
import { fc, test } from "@fast-check/vitest";
import { describe, expect, it } from "vitest";
import {
  BITMAP_HEAD_LENGTH,
  BitmapState,
  bitCount,
  clearBit,
  decodeBitmapHead,
  encodeBitmapHead,
  hasBit,
  setBit,
} from "../src/metadata/bitmap.ts";
import type { BitmapHead } from "../src/metadata/bitmap.ts";
import { readBitmap } from "../src/metadata/member-scan.ts";
import { makeImages, makeSuperblock } from "./support/make-array.ts";
import { readGolden } from "./support/golden.ts";

const HEAD: BitmapHead = {
  arrayUuid: "c0ffee00:11223344:55667788:99aabbcc",
  eventCount: 20n,
  clearedEventCount: 19n,
  syncSectors: 30_720,
  state: 0,
  chunkSize: 65_536,
  daemonSleepSeconds: 5,
  writeBehind: 0,
  reservedSectors: 0,
};
const PLACE = { source: "disk0.img", byteOffset: 8192, arrayUuid: HEAD.arrayUuid, sizeSectors: 30_720 };

describe("a bitmap's head", () => {
  test.prop([
    fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
    fc.integer({ min: 9, max: 31 }),
    fc.constantFrom(0, 2, 4),
  ])("decodes to what was encoded", (eventCount, order, state) => {
    const head = { ...HEAD, eventCount, chunkSize: 2 ** order, state };
    expect(decodeBitmapHead(encodeBitmapHead(head), PLACE)).toEqual(head);
  });

  it.each(["stack", "raid5-dirty"])("of the kernel's array %s is encoded again to the same bytes", (name) => {
    const { images, facts } = readGolden(name);
    for (const image of images) {
      const sizeSectors = Number(new DataView(image.buffer).getBigUint64(4096 + 80, true));
      const place = { ...PLACE, arrayUuid: facts["array.uuid"]!, sizeSectors };
      const bytes = image.subarray(8192, 8192 + BITMAP_HEAD_LENGTH);
      expect(Buffer.compare(encodeBitmapHead(decodeBitmapHead(bytes, place)), bytes)).toBe(0);
    }
  });

  it.each<[string, (view: DataView) => void]>([
    ["magic", (view) => view.setUint32(0, 1, true)],
    ["version", (view) => view.setUint32(4, 5, true)],
    ["uuid", (view) => view.setUint8(8, 1)],
    ["sync_size", (view) => view.setUint8(40, 1)],
    ["chunksize", (view) => view.setUint32(52, 100, true)],
    ["chunksize", (view) => view.setUint32(52, 0, true)],
    ["state", (view) => view.setUint32(48, 0x8000, true)],
    ["daemon_sleep", (view) => view.setUint32(56, 0, true)],
    ["write_behind", (view) => view.setUint32(60, 100_000, true)],
    ["sectors_reserved", (view) => view.setUint32(64, 0x0001, true)],
    ["nodes", (view) => view.setUint32(68, 3, true)],
  ])("whose %s is impossible is refused with that field", (field, change) => {
    const bytes = encodeBitmapHead({ ...HEAD, chunkSize: 512 });
    change(new DataView(bytes.buffer));
    try {
      decodeBitmapHead(bytes, PLACE);
      expect.unreachable("the bitmap was accepted");
    } catch (error) {
      expect(error).toBeInstanceOf(MetadataError);
      expect((error as MetadataError).place).toMatchObject({
        source: "disk0.img",
        structure: "md bitmap",
        field,
      });
    }
  });

  it("with any one bit flipped is refused with its place, or means the same but for that bit's field", () => {
    const plain = encodeBitmapHead(HEAD);
    let accepted = 0;
    for (let bit = 0; bit < plain.length * 8; bit++) {
      const bytes = Uint8Array.from(plain);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      try {
        const again = encodeBitmapHead(decodeBitmapHead(bytes, PLACE));
        // The name of a cluster, and what follows it, mean nothing without one.
        expect(Buffer.compare(again.subarray(0, 72), bytes.subarray(0, 72)), `bit ${bit}`).toBe(0);
        accepted++;
      } catch (error) {
        expect(error).toBeInstanceOf(MetadataError);
        const { field, byteOffset } = (error as MetadataError).place;
        expect(field).not.toBe("");
        expect(byteOffset).toBeGreaterThanOrEqual(PLACE.byteOffset);
        expect(byteOffset).toBeLessThan(PLACE.byteOffset + BITMAP_HEAD_LENGTH);
      }
    }
    expect(accepted).toBeGreaterThan(1000);
  });

  it("of a bitmap that would fill the memory is refused", () => {
    const huge = { ...PLACE, sizeSectors: 2 ** 40 };
    const head = encodeBitmapHead({ ...HEAD, syncSectors: 2 ** 40, chunkSize: 512 });
    expect(() => decodeBitmapHead(head, huge)).toThrow(MetadataError);
  });

  test.prop([fc.uint8Array({ maxLength: 300 })])("made of noise is refused", (noise) => {
    expect(() => decodeBitmapHead(noise, PLACE)).toThrow(MetadataError);
  });
});

describe("the bits", () => {
  it("number the pieces of a member, the last of which may be short", () => {
    expect(bitCount(HEAD)).toBe(240);
    expect(bitCount({ ...HEAD, syncSectors: 30_721 })).toBe(241);
  });

  it("are set and cleared one by one", () => {
    const bits = new Uint8Array(4);
    setBit(bits, 0);
    setBit(bits, 17);
    expect([...bits]).toEqual([1, 0, 2, 0]);
    expect(hasBit(bits, 17)).toBe(true);
    expect(hasBit(bits, 16)).toBe(false);
    clearBit(bits, 17);
    expect([...bits]).toEqual([1, 0, 0, 0]);
  });
});

describe("a bitmap of another size than the array's", () => {
  it("is stale, in the array's size: the power went while it grew", async () => {
    const [image] = makeImages({ bitmapChunkSize: 8192 });
    const superblock = makeSuperblock(0, { bitmapChunkSize: 8192 });
    const target = {
      source: "disk0.img",
      size: image!.length,
      read: (offset: number, length: number) => Promise.resolve(image!.slice(offset, offset + length)),
    };
    const grown = { ...superblock, sizeSectors: superblock.sizeSectors * 2 };
    const found = await readBitmap(target, grown);
    expect(found!.head.syncSectors).toBe(grown.sizeSectors);
    expect(found!.head.state & BitmapState.stale).not.toBe(0);
    expect(found!.bits).toHaveLength(1);
    expect(hasBit(found!.bits, bitCount(found!.head) - 1)).toBe(true);
    expect((await readBitmap(target, superblock))!.head.state).toBe(0);
  });
});

import { MetadataError } from "@cev/core";
import { fc, test } from "@fast-check/vitest";
import { describe, expect, it } from "vitest";
import { FeatureFlag } from "../src/metadata/superblock-features.ts";
import { decodeSuperblock, encodeSuperblock } from "../src/metadata/superblock.ts";
import type { Superblock } from "../src/metadata/superblock.ts";
import { readGolden } from "./support/golden.ts";
import { makeSuperblock, memberSize } from "./support/make-array.ts";

const PLACE = { source: "disk0.img", deviceSize: memberSize({}), version: "1.2", byteOffset: 4096 } as const;

function failureOf(bytes: Uint8Array): MetadataError {
  try {
    decodeSuperblock(bytes, PLACE);
  } catch (error) {
    if (error instanceof MetadataError) return error;
    throw error;
  }
  throw new Error("the superblock was accepted");
}

/** The superblock with its checksum put right after a change. */
function withChecksum(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setUint32(216, 0, true);
  let sum = 0n;
  const length = Math.min(bytes.length, 256 + 2 * view.getUint32(220, true));
  for (let at = 0; at + 4 <= length; at += 4) sum += BigInt(view.getUint32(at, true));
  if (length % 4 === 2) sum += BigInt(view.getUint16(length - 2, true));
  view.setUint32(216, Number(((sum & 0xffffffffn) + (sum >> 32n)) & 0xffffffffn), true);
  return bytes;
}

const superblocks = fc
  .record({
    arrayName: fc.string({ unit: "binary", maxLength: 8 }).filter((name) => !/[\\\0]/.test(name)),
    eventCount: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
    resyncSectors: fc.option(fc.nat(64)),
    deviceNumber: fc.nat(200),
    correctedReadCount: fc.nat(2 ** 32 - 1),
    roles: fc.array(fc.constantFrom(0, 1, 2, 3, 0xffff, 0xfffe, 0xfffd), { maxLength: 384 }),
    createdAt: fc.record({ seconds: fc.nat(2 ** 40 - 1), microseconds: fc.nat(2 ** 24 - 1) }),
    badBlockOffsetSectors: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  })
  .map((changes): Superblock => ({
    ...makeSuperblock(1),
    ...changes,
    arrayName: escaped(changes.arrayName),
  }));

function escaped(name: string): string {
  return Array.from(name, (character) =>
    /[\p{Cc}]/u.test(character)
      ? [...Buffer.from(character)].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("")
      : character.toWellFormed().replace("\uFEFF", "_"),
  ).join("");
}

describe("a superblock", () => {
  test.prop([superblocks])("decodes to what was encoded", (superblock) => {
    expect(decodeSuperblock(encodeSuperblock(superblock), PLACE)).toEqual(superblock);
  });

  it.each(["stack", "raid5-4k", "raid5-512k", "raid5-stale", "raid5-dirty"])(
    "of the kernel's array %s is encoded again to the same bytes",
    (name) => {
      readGolden(name).images.forEach((image, index) => {
        const place = {
          source: `disk${index}`,
          deviceSize: image.length,
          version: "1.2",
          byteOffset: 4096,
        } as const;
        const bytes = image.subarray(4096, 8192);
        const again = encodeSuperblock(decodeSuperblock(bytes, place));
        expect(Buffer.compare(again, bytes.subarray(0, again.length))).toBe(0);
      });
    },
  );

  it("with any one bit flipped is refused", () => {
    const bytes = encodeSuperblock(makeSuperblock(0));
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Uint8Array.from(bytes);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      const { code, place } = failureOf(flipped);
      expect(code).toBe("CEV_BAD_METADATA");
      expect(place.source).toBe("disk0.img");
      expect(place.structure).toBe("md superblock");
      expect(place.byteOffset).toBeGreaterThanOrEqual(4096);
    }
  });

  test.prop([fc.nat(255), fc.nat(255)], { numRuns: 2000 })(
    "with any byte changed and the checksum made right is decoded or refused, and nothing else happens",
    (at, value) => {
      const bytes = new Uint8Array(4096);
      bytes.set(encodeSuperblock(makeSuperblock(0)));
      bytes[at] = value;
      let decoded: Superblock;
      try {
        decoded = decodeSuperblock(withChecksum(bytes), PLACE);
      } catch (error) {
        expect(error).toBeInstanceOf(MetadataError);
        return;
      }
      expect(decoded.chunkSectors).toBeGreaterThanOrEqual(8);
      expect(decoded.sizeSectors).toBeLessThanOrEqual(decoded.dataSizeSectors);
    },
  );

  test.prop([fc.uint8Array({ minLength: 0, maxLength: 600 })])("made of noise is refused", (noise) => {
    expect(failureOf(noise).code).toBe("CEV_BAD_METADATA");
  });

  it.each([
    [FeatureFlag.reshape, "reshape"],
    [FeatureFlag.badBlocks, "bad blocks"],
    [FeatureFlag.journal, "journal"],
    [FeatureFlag.partialParityLog, "partial parity log"],
    [FeatureFlag.multiplePartialParityLogs, "partial parity logs"],
    [FeatureFlag.newOffset, "offset"],
    [FeatureFlag.reshapeBackwards, "reshape"],
    [FeatureFlag.bitmapVersioned, "cluster"],
    [FeatureFlag.raid0Layout, "RAID0"],
    [0x8000_0000, "0x80000000"],
    [0x2000, "0x2000"],
  ])("with the feature bit %i is refused by name: %s", (feature, name) => {
    const { code, message, place } = failureOf(encodeSuperblock({ ...makeSuperblock(0), features: feature }));
    expect(code).toBe("CEV_UNKNOWN_FEATURE");
    expect(message).toContain(name);
    expect(place).toMatchObject({ field: "feature_map", byteOffset: 4104 });
  });

  it.each<[string, Partial<Superblock>]>([
    ["level", { level: 3 }],
    ["raid_disks", { memberCount: 0 }],
    ["chunksize", { chunkSectors: 24 }],
    ["chunksize", { chunkSectors: 1 }],
    ["size", { sizeSectors: 0 }],
    ["size", { sizeSectors: 1_000_000 }],
    ["data_size", { dataSizeSectors: 1_000_000 }],
    ["data_offset", { dataOffsetSectors: 8 }],
    ["super_offset", { superOffsetSectors: 16 }],
    ["dev_roles", { roles: [0, 1, 2, 4] }],
    ["bitmap_offset", { features: FeatureFlag.bitmap, bitmapOffsetSectors: 0x400 }],
    ["bitmap_offset", { features: FeatureFlag.bitmap, bitmapOffsetSectors: -16 }],
    ["bitmap_offset", { features: FeatureFlag.bitmap, bitmapOffsetSectors: 24 }],
  ])("whose %s is impossible is refused with that field", (field, changes) => {
    const { code, place } = failureOf(encodeSuperblock({ ...makeSuperblock(0), ...changes }));
    expect(code).toBe("CEV_BAD_METADATA");
    expect(place.field).toBe(field);
  });
});

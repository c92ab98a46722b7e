import { MetadataError } from "@cev/core";
import { fc, test } from "@fast-check/vitest";
import { describe, expect, it } from "vitest";
import { FeatureFlag } from "../src/metadata/superblock-features.ts";
import { DeviceFlag, Role, decodeSuperblock, encodeSuperblock } from "../src/metadata/superblock.ts";
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
    eventCount: fc.bigInt({ min: 0n, max: (1n << 63n) - 1n }),
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

  it("with any one bit flipped and the checksum made right is refused with a place, or encoded again as it is", () => {
    const shape = { bitmapChunkSize: 8192 };
    const plain = encodeSuperblock(makeSuperblock(0, shape));
    let accepted = 0;
    for (let bit = 0; bit < plain.length * 8; bit++) {
      const bytes = Uint8Array.from(plain);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      withChecksum(bytes);
      let decoded: Superblock;
      try {
        decoded = decodeSuperblock(bytes, PLACE);
      } catch (error) {
        expect(error).toBeInstanceOf(MetadataError);
        const { field, byteOffset } = (error as MetadataError).place;
        expect(field).not.toBe("");
        expect(byteOffset).toBeGreaterThanOrEqual(4096);
        expect(byteOffset).toBeLessThan(4096 + plain.length);
        continue;
      }
      accepted++;
      const again = encodeSuperblock(decoded);
      expect(Buffer.compare(again, bytes.subarray(0, again.length)), `bit ${bit}`).toBe(0);
    }
    expect(accepted).toBeGreaterThan(800);
  });

  test.prop([fc.array(fc.tuple(fc.nat(263), fc.nat(255)), { minLength: 1, maxLength: 12 })], {
    numRuns: 1000,
  })(
    "with any bytes changed and the checksum made right is refused, or encoded again as it is",
    (changes) => {
      const bytes = new Uint8Array(4096);
      bytes.set(encodeSuperblock(makeSuperblock(0)));
      for (const [at, value] of changes) bytes[at] = value;
      let decoded: Superblock;
      try {
        decoded = decodeSuperblock(withChecksum(bytes), PLACE);
      } catch (error) {
        expect(error).toBeInstanceOf(MetadataError);
        return;
      }
      const again = encodeSuperblock(decoded);
      expect(Buffer.compare(again, bytes.subarray(0, again.length))).toBe(0);
    },
  );

  test.prop([fc.uint8Array({ minLength: 0, maxLength: 600 })])("made of noise is refused", (noise) => {
    expect(failureOf(noise).code).toBe("CEV_BAD_METADATA");
  });

  it.each([
    [0x8000_0000, "0x80000000"],
    [0x2000, "0x2000"],
  ])("with the unknown feature bit %i is refused by name: %s", (feature, name) => {
    const { code, message, place } = failureOf(encodeSuperblock({ ...makeSuperblock(0), features: feature }));
    expect(code).toBe("CEV_UNKNOWN_FEATURE");
    expect(message).toContain(name);
    expect(place).toMatchObject({ field: "feature_map", byteOffset: 4104 });
  });

  const reshape = {
    positionSectors: 48,
    level: 6,
    memberDelta: 1,
    layout: 18,
    chunkSectors: 16,
    offsetSectors: -8,
  };
  it.each<[string, Partial<Superblock>]>([
    ["a reshape", { features: FeatureFlag.reshape | FeatureFlag.newOffset, reshape }],
    [
      "a reshape to fewer members, the last of which has a role still",
      {
        features: FeatureFlag.reshape | FeatureFlag.reshapeBackwards,
        reshape: { ...reshape, memberDelta: -2, offsetSectors: 0 },
        memberCount: 2,
      },
    ],
    ["a write journal, on a member", { features: FeatureFlag.journal, roles: [0, 1, 2, 3, Role.journal] }],
    [
      "a write journal, on its device",
      {
        features: FeatureFlag.journal,
        roles: [0, 1, 2, 3, Role.journal],
        deviceNumber: 4,
        dataSizeSectors: 16,
        journalTailSectors: 8,
      },
    ],
    [
      "a partial parity log",
      { features: FeatureFlag.partialParityLog, partialParityLog: { offsetSectors: 8, sizeSectors: 16 } },
    ],
    [
      "a bad-block log",
      { features: FeatureFlag.badBlocks, badBlockSectors: 8, badBlockOffsetSectors: 16, badBlockShift: 3 },
    ],
    ["a layout of RAID0", { level: 0, layout: 2, sizeSectors: 0, features: FeatureFlag.raid0Layout }],
    ["a linear array without chunks", { level: -1, layout: 0, sizeSectors: 0, chunkSectors: 0 }],
    ["a mirror without chunks", { level: 1, layout: 0, chunkSectors: 0 }],
    ["a member that is rebuilt", { features: FeatureFlag.recovery, recoverySectors: 24 }],
    ["device flags", { deviceFlags: DeviceFlag.writeMostly | DeviceFlag.failFast }],
  ])("that speaks of %s is decoded, and encoded to the same bytes", (_name, changes) => {
    const superblock: Superblock = { ...makeSuperblock(0), ...changes };
    const bytes = encodeSuperblock(superblock);
    expect(decodeSuperblock(bytes, PLACE)).toEqual(superblock);
  });

  it("keeps what means nothing until it is updated", () => {
    const bytes = encodeSuperblock(makeSuperblock(0));
    const view = new DataView(bytes.buffer);
    view.setUint32(12, 0xdead, true);
    view.setInt32(96, 8, true);
    const superblock = decodeSuperblock(withChecksum(bytes), PLACE);
    expect(superblock.bitmapOffsetSectors).toBe(0);
    expect(Buffer.compare(encodeSuperblock(superblock), bytes)).toBe(0);
    const updated = encodeSuperblock({ ...superblock, eventCount: superblock.eventCount + 1n });
    expect(new DataView(updated.buffer).getUint32(12, true)).toBe(0);
    expect(new DataView(updated.buffer).getUint32(96, true)).toBe(0);
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
    ["events", { eventCount: 1n << 63n }],
    ["dev_number", { deviceNumber: 1920 }],
    ["dev_number", { deviceNumber: 0xffff_fffc }],
    ["bitmap_offset", { features: FeatureFlag.bitmap, bitmapOffsetSectors: 0x400 }],
    ["bitmap_offset", { features: FeatureFlag.bitmap, bitmapOffsetSectors: -16 }],
    ["bitmap_offset", { features: FeatureFlag.bitmap, bitmapOffsetSectors: 24 }],
    ["chunksize", { level: 0, chunkSectors: 0 }],
    ["data_size", { level: 0, chunkSectors: 8, dataSizeSectors: 7 }],
    ["data_size", { level: -1, dataSizeSectors: 0 }],
    ["new_level", { features: FeatureFlag.reshape, reshape: { ...reshape, level: 7 } }],
    ["new_chunk", { features: FeatureFlag.reshape, reshape: { ...reshape, chunkSectors: 3 } }],
    ["delta_disks", { features: FeatureFlag.reshape, reshape: { ...reshape, memberDelta: 4 } }],
    ["delta_disks", { features: FeatureFlag.reshape, reshape: { ...reshape, memberDelta: -(2 ** 31) } }],
    [
      "reshape_position",
      { features: FeatureFlag.reshape, reshape: { ...reshape, positionSectors: 2 ** 40 } },
    ],
    ["new_offset", { features: 0x44, reshape: { ...reshape, offsetSectors: -24 } }],
    ["new_offset", { features: 0x44, reshape: { ...reshape, offsetSectors: 2 ** 20 } }],
    ["feature_map", { features: FeatureFlag.bitmap | FeatureFlag.partialParityLog, bitmapOffsetSectors: 8 }],
    [
      "ppl",
      { features: FeatureFlag.partialParityLog, partialParityLog: { offsetSectors: 8, sizeSectors: 17 } },
    ],
    ["bblog_size", { features: FeatureFlag.badBlocks, badBlockSectors: 9, badBlockOffsetSectors: 8 }],
    ["bblog_offset", { features: FeatureFlag.badBlocks, badBlockSectors: 8, badBlockOffsetSectors: 20 }],
    [
      "bblog_shift",
      { features: FeatureFlag.badBlocks, badBlockSectors: 8, badBlockOffsetSectors: 8, badBlockShift: 64 },
    ],
  ])("whose %s is impossible is refused with that field", (field, changes) => {
    const { code, place } = failureOf(encodeSuperblock({ ...makeSuperblock(0), ...changes }));
    expect(code).toBe("CEV_BAD_METADATA");
    expect(place.field).toBe(field);
  });
});

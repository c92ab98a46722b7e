import type { CevError, MetadataError } from "@cev/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { blankDmSuperblock, decodeDmSuperblock, encodeDmSuperblock } from "../src/dm-raid/dm-superblock.ts";
import type { DmShape } from "../src/dm-raid/dm-superblock.ts";
import { FeatureFlag, Role } from "../src/index.ts";
import { dmOption, dmShape } from "./support/dm-images.ts";

/** Fields as LVM2 and Linux 6.1 left them, in the order they lie, at the bytes they lie at; all else is zero. */
const MADE_BY_LINUX: Readonly<
  Record<string, { shape: DmShape; words: readonly (readonly [at: number, hex: string])[] }>
> = {
  raid5_ls: {
    shape: {
      ...dmShape(dmOption("raid5_ls", 3), 1),
      chunkSectors: 128,
      sizeSectors: 8192,
      dataSizeSectors: 8192,
      arraySectors: 16_384,
    },
    words: [
      [0, "446d526401000000"],
      [8, "0300000001000000"],
      [16, "1400000000000000"],
      [32, "ffffffffffffffff"],
      [40, "ffffffffffffffff"],
      [48, "0500000002000000"],
      [56, "8000000000000000"],
      [64, "ffffffffffffffff"],
      [72, "0500000002000000"],
      [80, "8000000000000000"],
      [88, "0040000000000000"],
      [112, "0020000000000000"],
    ],
  },
  raid10: {
    shape: {
      ...dmShape(dmOption("raid10", 4), 2),
      chunkSectors: 128,
      sizeSectors: 4096,
      dataSizeSectors: 4096,
      arraySectors: 8192,
    },
    words: [
      [0, "446d526401000000"],
      [8, "0400000002000000"],
      [16, "1100000000000000"],
      [32, "ffffffffffffffff"],
      [40, "ffffffffffffffff"],
      [48, "0a00000002010000"],
      [56, "8000000000000000"],
      [64, "ffffffffffffffff"],
      [72, "0a00000002010000"],
      [80, "8000000000000000"],
      [88, "0020000000000000"],
      [112, "0010000000000000"],
    ],
  },
};

function bytesOf(words: readonly (readonly [number, string])[]): Uint8Array {
  const bytes = new Uint8Array(512);
  for (const [at, hex] of words) bytes.set(Buffer.from(hex, "hex"), at);
  return bytes;
}

const SHAPE = dmShape(dmOption("raid6_zr", 6), 4);

describe("dm-raid's superblock", () => {
  it.each(Object.entries(MADE_BY_LINUX))(
    "of a %s volume is decoded and encoded again byte for byte",
    (_type, { shape, words }) => {
      const bytes = bytesOf(words);
      const superblock = decodeDmSuperblock(bytes, "member", shape);
      expect(superblock).toMatchObject({ resyncSectors: null, features: FeatureFlag.bitmap });
      expect(encodeDmSuperblock(superblock)).toEqual(bytes);
    },
  );

  it("keeps failed members, places of resync and rebuild, and events", () => {
    fc.assert(
      fc.property(
        fc.record({
          eventCount: fc.bigInt(0n, (1n << 62n) - 1n),
          failed: fc.uniqueArray(fc.nat(252)),
          memberCount: fc.integer({ min: 5, max: 253 }),
          recovered: fc.option(fc.nat(SHAPE.sizeSectors)),
          resynced: fc.option(fc.nat(SHAPE.sizeSectors)),
        }),
        ({ eventCount, failed, memberCount, recovered, resynced }) => {
          const shape = {
            ...SHAPE,
            memberCount,
            arraySectors: SHAPE.sizeSectors * (memberCount - 2),
          };
          const roles = Array.from({ length: memberCount }, (_, index) =>
            failed.includes(index) ? Role.faulty : index,
          );
          const made = {
            ...blankDmSuperblock(shape),
            eventCount,
            roles,
            resyncSectors: resynced,
            features: FeatureFlag.bitmap | (recovered === null ? 0 : FeatureFlag.recovery),
            recoverySectors: recovered ?? 0,
          };
          expect(decodeDmSuperblock(encodeDmSuperblock(made), "member", shape)).toEqual(made);
        },
      ),
    );
  });

  const clean = bytesOf(MADE_BY_LINUX["raid5_ls"]!.words);
  const decodeWith = (at: number, hex: string): CevError | null => {
    const bytes = Uint8Array.from(clean);
    bytes.set(Buffer.from(hex, "hex"), at);
    try {
      decodeDmSuperblock(bytes, "member", MADE_BY_LINUX["raid5_ls"]!.shape);
      return null;
    } catch (error) {
      return error as CevError;
    }
  };

  it.each([
    ["another magic", 0, "00", "CEV_BAD_METADATA", "magic"],
    ["unknown features", 4, "02", "CEV_UNKNOWN_FEATURE", "compat_features"],
    ["incompatible features", 144, "01", "CEV_UNKNOWN_FEATURE", "incompat_features"],
    ["another number of members", 8, "04", "CEV_BAD_METADATA", "num_devices"],
    ["another position", 12, "02", "CEV_BAD_METADATA", "array_position"],
    ["a failed member past the last", 24, "08", "CEV_BAD_METADATA", "failed_devices"],
    ["a rebuild past the end", 32, "0120000000000000", "CEV_BAD_METADATA", "disk_recovery_offset"],
    ["a resync past the end", 40, "0140000000000000", "CEV_BAD_METADATA", "array_resync_offset"],
    ["another level", 48, "06", "CEV_BAD_METADATA", "level"],
    ["another layout", 52, "03", "CEV_BAD_METADATA", "layout"],
    ["other chunks", 56, "40", "CEV_BAD_METADATA", "stripe_sectors"],
    ["a reshape", 60, "01", "CEV_UNKNOWN_FEATURE", "flags"],
    ["a reshape that has begun", 64, "0000000000000000", "CEV_UNKNOWN_FEATURE", "reshape_position"],
    ["a takeover", 72, "06", "CEV_UNKNOWN_FEATURE", "new_level"],
    ["a new layout", 76, "05", "CEV_UNKNOWN_FEATURE", "new_layout"],
    ["new chunks", 80, "40", "CEV_UNKNOWN_FEATURE", "new_stripe_sectors"],
    ["more members to come", 84, "01", "CEV_UNKNOWN_FEATURE", "delta_disks"],
    ["another size", 88, "0050", "CEV_BAD_METADATA", "array_sectors"],
    ["data that was moved", 96, "0020", "CEV_UNKNOWN_FEATURE", "data_offset"],
    ["data that is to be moved", 104, "0020", "CEV_UNKNOWN_FEATURE", "new_data_offset"],
    ["another size of members", 112, "0010", "CEV_BAD_METADATA", "sectors"],
  ])("with %s is refused, and the field and its byte are named", (_what, at, hex, code, field) => {
    const error = decodeWith(at, hex);
    expect(error).toMatchObject({ code });
    expect((error as MetadataError).place).toMatchObject({
      source: "member",
      structure: "dm-raid superblock",
      field,
      byteOffset: at,
    });
  });

  it("of an old kernel, without the later fields, is read", () => {
    const old = Uint8Array.from(clean);
    old.fill(0xa5, 60);
    old[4] = 0;
    const { shape } = MADE_BY_LINUX["raid5_ls"]!;
    const superblock = decodeDmSuperblock(old, "member", shape);
    expect(superblock).toEqual(decodeDmSuperblock(clean, "member", shape));
  });
});

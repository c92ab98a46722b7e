import { encodeBitmapHead } from "../../src/metadata/bitmap.ts";
import { FeatureFlag } from "../../src/metadata/superblock-features.ts";
import { encodeSuperblock } from "../../src/metadata/superblock.ts";
import type { Superblock, SuperblockVersion } from "../../src/metadata/superblock.ts";
import { superblockOffset } from "../../src/metadata/member-scan.ts";

const SECTOR = 512;

/** What an array for a test is like. Everything has a default. */
export interface ArrayShape {
  readonly memberCount?: number;
  readonly chunkSize?: number;
  /** Chunks that each member gives. */
  readonly chunkCount?: number;
  /** Number of the layout, as in the superblock. */
  readonly layout?: number;
  readonly version?: SuperblockVersion;
  /** Bytes of a member that one bit of the bitmap covers; without it there is no bitmap. */
  readonly bitmapChunkSize?: number;
  readonly changes?: (superblock: Superblock, index: number) => Partial<Superblock>;
}

/** The first of the members' data, in bytes: room enough for superblock and bitmap. */
export const DATA_START = 16_384;

/** The superblock of one member of a new, clean array. */
export function makeSuperblock(index: number, shape: ArrayShape = {}): Superblock {
  const { memberCount = 4, chunkSize = 4096, chunkCount = 8, layout = 2, version = "1.2" } = shape;
  const sizeSectors = (chunkSize * chunkCount) / SECTOR;
  const digits = String(index).padStart(2, "0");
  const superblock: Superblock = {
    version,
    features: shape.bitmapChunkSize === undefined ? 0 : FeatureFlag.bitmap,
    arrayUuid: "c0ffee00:11223344:55667788:99aabbcc",
    arrayName: "oracle:test",
    createdAt: { seconds: 1_700_000_000, microseconds: 12 },
    level: 5,
    layout,
    sizeSectors,
    chunkSectors: chunkSize / SECTOR,
    memberCount,
    partialParityLog: null,
    reshape: null,
    bitmapOffsetSectors: shape.bitmapChunkSize === undefined ? 0 : version === "1.0" ? -8 : 8,
    dataOffsetSectors: version === "1.0" ? 0 : DATA_START / SECTOR,
    dataSizeSectors: sizeSectors,
    superOffsetSectors: superblockOffset(version, memberSize(shape))! / SECTOR,
    recoverySectors: 0,
    journalTailSectors: 0,
    deviceNumber: index,
    correctedReadCount: 0,
    deviceUuid: `0000000${index % 10}:00000000:00000000:000000${digits}`,
    deviceFlags: 0,
    badBlockShift: 0,
    badBlockSectors: 0,
    badBlockOffsetSectors: 0,
    updatedAt: { seconds: 1_700_000_100, microseconds: 0 },
    eventCount: 17n,
    resyncSectors: null,
    roles: Array.from({ length: memberCount }, (_, role) => role),
    old: null,
    remnants: null,
  };
  return { ...superblock, ...shape.changes?.(superblock, index) };
}

/** Bytes of one member of such an array. */
export function memberSize({ chunkSize = 4096, chunkCount = 8 }: ArrayShape): number {
  return DATA_START + chunkSize * chunkCount + 16_384;
}

/** The images of a new array that holds zeroes. */
export function makeImages(shape: ArrayShape = {}): Uint8Array[] {
  return Array.from({ length: shape.memberCount ?? 4 }, (_, index) => {
    const superblock = makeSuperblock(index, shape);
    const image = new Uint8Array(memberSize(shape));
    image.set(encodeSuperblock(superblock), superblock.superOffsetSectors * SECTOR);
    if (shape.bitmapChunkSize !== undefined) {
      const head = encodeBitmapHead({
        arrayUuid: superblock.arrayUuid,
        eventCount: superblock.eventCount,
        clearedEventCount: superblock.eventCount - 1n,
        syncSectors: superblock.sizeSectors,
        state: 0,
        chunkSize: shape.bitmapChunkSize,
        daemonSleepSeconds: 5,
        writeBehind: 0,
        reservedSectors: 0,
      });
      image.set(head, (superblock.superOffsetSectors + superblock.bitmapOffsetSectors) * SECTOR);
    }
    return image;
  });
}

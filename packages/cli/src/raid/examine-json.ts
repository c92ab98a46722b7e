import type { Json } from "@cev/core";
import { DeviceFlag, FeatureFlag, Role, ownRole } from "@cev/raid";
import type { Superblock } from "@cev/raid";
import {
  arraySizeOf,
  badBlockRoom,
  dirtyBitCount,
  layoutText,
  levelText,
  placesText,
  unusedSectors,
} from "./examination.ts";
import type { Examination } from "./examination.ts";
import { isoTime } from "./mdadm-words.ts";

const SECTOR = 512;

/** What stands on one member, for programs: sizes and places in bytes, times in UTC. */
export function examineJson(examination: Examination): { readonly [key: string]: Json } {
  const { name, size, superblock, checksum } = examination;
  const { sizeSectors, dataSizeSectors, dataOffsetSectors, features } = superblock;
  const unused = unusedSectors(examination);
  const bytes = (sectors: number): number => sectors * SECTOR;
  return {
    device: name,
    size,
    metadata: superblock.version,
    features,
    arrayUuid: superblock.arrayUuid,
    arrayName: superblock.arrayName,
    createdAt: isoTime(superblock.createdAt.seconds),
    level: levelText(superblock.level),
    layout: layoutText(superblock),
    chunkSize: bytes(superblock.chunkSectors),
    memberCount: superblock.memberCount,
    availableSize: bytes(dataSizeSectors),
    usedSize: bytes(sizeSectors),
    arraySize: arraySizeOf(superblock),
    dataOffset: bytes(dataOffsetSectors),
    superOffset: bytes(superblock.superOffsetSectors),
    unusedBefore: unused === null ? null : bytes(unused.before),
    unusedAfter: unused === null ? null : bytes(unused.after),
    isClean: superblock.resyncSectors === null,
    resyncOffset: superblock.resyncSectors === null ? null : bytes(superblock.resyncSectors),
    recoveryOffset: (features & FeatureFlag.recovery) === 0 ? null : bytes(superblock.recoverySectors),
    deviceUuid: superblock.deviceUuid,
    deviceNumber: superblock.deviceNumber,
    role: roleOf(superblock),
    isReplacement: (features & FeatureFlag.replacement) !== 0,
    isWriteMostly: (superblock.deviceFlags & DeviceFlag.writeMostly) !== 0,
    isFailFast: (superblock.deviceFlags & DeviceFlag.failFast) !== 0,
    arrayState: placesText(superblock),
    events: Number(superblock.eventCount),
    updatedAt: isoTime(superblock.updatedAt.seconds),
    checksum: checksum.toString(16).padStart(8, "0"),
    correctedReadCount: superblock.correctedReadCount,
    reshape: reshapeJson(superblock),
    bitmap: bitmapJson(examination),
    badBlockLog: badBlocksJson(examination),
  };
}

function roleOf(superblock: Superblock): number | string {
  const role = ownRole(superblock);
  if (role < Role.special) return role;
  return role === Role.journal ? "journal" : role === Role.faulty ? "faulty" : "spare";
}

function reshapeJson({ reshape, memberCount }: Superblock): Json {
  if (reshape === null) return null;
  return {
    position: reshape.positionSectors * SECTOR,
    level: levelText(reshape.level),
    memberCountBefore: memberCount - reshape.memberDelta,
    layout: reshape.layout,
    chunkSize: reshape.chunkSectors * SECTOR,
  };
}

function bitmapJson({ superblock, bitmap }: Examination): Json {
  if (superblock.bitmapOffsetSectors === 0) return null;
  const offset = superblock.bitmapOffsetSectors * SECTOR;
  if (bitmap === null) return { offset };
  const { head } = bitmap;
  const { count, dirty } = dirtyBitCount(bitmap);
  return {
    offset,
    events: Number(head.eventCount),
    eventsCleared: Number(head.clearedEventCount),
    state: head.state,
    chunkSize: head.chunkSize,
    syncSize: head.syncSectors * SECTOR,
    daemonSleepSeconds: head.daemonSleepSeconds,
    writeBehind: head.writeBehind,
    bitCount: count,
    dirtyCount: dirty,
  };
}

function badBlocksJson({ superblock, badBlocks }: Examination): Json {
  const room = badBlockRoom(superblock);
  if (room === 0) return null;
  return {
    offset: superblock.badBlockOffsetSectors * SECTOR,
    entryCountMax: room,
    hasEntries: (superblock.features & FeatureFlag.badBlocks) !== 0,
    ranges:
      badBlocks?.map(({ start, end }) => ({
        start: superblock.dataOffsetSectors * SECTOR + start,
        length: end - start,
      })) ?? null,
  };
}

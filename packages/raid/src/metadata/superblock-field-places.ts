import type { MetadataVersion } from "./superblock-model.ts";

/** A field that the families of superblocks have, or one of them. */
export type SuperblockField =
  | "magic"
  | "majorVersion"
  | "minorVersion"
  | "features"
  | "arrayUuid"
  | "createdAt"
  | "level"
  | "layout"
  | "size"
  | "chunk"
  | "memberCount"
  | "bitmapOffset"
  | "partialParityLog"
  | "newLevel"
  | "reshapePosition"
  | "memberDelta"
  | "newLayout"
  | "newChunk"
  | "newOffset"
  | "dataOffset"
  | "dataSize"
  | "superOffset"
  | "recoveryOffset"
  | "deviceNumber"
  | "badBlockShift"
  | "badBlockSize"
  | "badBlockOffset"
  | "events"
  | "resyncOffset"
  | "checksum"
  | "roleCount"
  | "roles"
  | "flags"
  | "arraySize"
  | "incompatible";

/** What a field is called in messages, its byte within the superblock, and how far its entries lie apart. */
export interface FieldPlace {
  readonly name: string;
  readonly at: number;
  readonly step: number;
}

type Row = readonly [name: string, at: number, step?: number];

const VERSION_1: Readonly<Record<SuperblockField, Row>> = {
  magic: ["magic", 0],
  majorVersion: ["major_version", 4],
  minorVersion: ["major_version", 4],
  features: ["feature_map", 8],
  arrayUuid: ["set_uuid", 16],
  createdAt: ["ctime", 64],
  level: ["level", 72],
  layout: ["layout", 76],
  size: ["size", 80],
  chunk: ["chunksize", 88],
  memberCount: ["raid_disks", 92],
  bitmapOffset: ["bitmap_offset", 96],
  partialParityLog: ["ppl", 96],
  newLevel: ["new_level", 100],
  reshapePosition: ["reshape_position", 104],
  memberDelta: ["delta_disks", 112],
  newLayout: ["new_layout", 116],
  newChunk: ["new_chunk", 120],
  newOffset: ["new_offset", 124],
  dataOffset: ["data_offset", 128],
  dataSize: ["data_size", 136],
  superOffset: ["super_offset", 144],
  recoveryOffset: ["recovery_offset", 152],
  deviceNumber: ["dev_number", 160],
  badBlockShift: ["bblog_shift", 185],
  badBlockSize: ["bblog_size", 186],
  badBlockOffset: ["bblog_offset", 188],
  events: ["events", 200],
  resyncOffset: ["resync_offset", 208],
  checksum: ["sb_csum", 216],
  roleCount: ["max_dev", 220],
  roles: ["dev_roles", 256, 2],
  flags: ["feature_map", 8],
  arraySize: ["size", 80],
  incompatible: ["feature_map", 8],
};

/** Version 0.90 has no places and no feature map: what is wrong with those is wrong with its size or state. */
const VERSION_0: Readonly<Record<SuperblockField, Row>> = {
  magic: ["md_magic", 0],
  majorVersion: ["major_version", 4],
  minorVersion: ["minor_version", 8],
  features: ["state", 132],
  arrayUuid: ["set_uuid0", 20],
  createdAt: ["ctime", 24],
  level: ["level", 28],
  layout: ["layout", 256],
  size: ["size", 32],
  chunk: ["chunk_size", 260],
  memberCount: ["raid_disks", 40],
  bitmapOffset: ["state", 132],
  partialParityLog: ["state", 132],
  newLevel: ["new_level", 184],
  reshapePosition: ["reshape_position", 176],
  memberDelta: ["delta_disks", 188],
  newLayout: ["new_layout", 192],
  newChunk: ["new_chunk", 196],
  newOffset: ["new_layout", 192],
  dataOffset: ["size", 32],
  dataSize: ["size", 32],
  superOffset: ["size", 32],
  recoveryOffset: ["recovery_cp", 172],
  deviceNumber: ["this_disk", 3968],
  badBlockShift: ["state", 132],
  badBlockSize: ["state", 132],
  badBlockOffset: ["state", 132],
  events: ["events_lo", 156],
  resyncOffset: ["recovery_cp", 172],
  checksum: ["sb_csum", 152],
  roleCount: ["nr_disks", 36],
  roles: ["disks", 512, 128],
  flags: ["state", 132],
  arraySize: ["size", 32],
  incompatible: ["state", 132],
};

/** dm-raid's superblock says nothing of names and places: what is wrong with those is wrong with the member itself. */
const VERSION_DM: Readonly<Record<SuperblockField, Row>> = {
  magic: ["magic", 0],
  majorVersion: ["compat_features", 4],
  minorVersion: ["compat_features", 4],
  features: ["compat_features", 4],
  arrayUuid: ["magic", 0],
  createdAt: ["magic", 0],
  level: ["level", 48],
  layout: ["layout", 52],
  size: ["sectors", 112],
  chunk: ["stripe_sectors", 56],
  memberCount: ["num_devices", 8],
  bitmapOffset: ["magic", 0],
  partialParityLog: ["compat_features", 4],
  newLevel: ["new_level", 72],
  reshapePosition: ["reshape_position", 64],
  memberDelta: ["delta_disks", 84],
  newLayout: ["new_layout", 76],
  newChunk: ["new_stripe_sectors", 80],
  newOffset: ["new_data_offset", 104],
  dataOffset: ["data_offset", 96],
  dataSize: ["sectors", 112],
  superOffset: ["magic", 0],
  recoveryOffset: ["disk_recovery_offset", 32],
  deviceNumber: ["array_position", 12],
  badBlockShift: ["compat_features", 4],
  badBlockSize: ["compat_features", 4],
  badBlockOffset: ["compat_features", 4],
  events: ["events", 16],
  resyncOffset: ["array_resync_offset", 40],
  checksum: ["magic", 0],
  roleCount: ["num_devices", 8],
  roles: ["failed_devices", 24],
  flags: ["flags", 60],
  arraySize: ["array_sectors", 88],
  incompatible: ["incompat_features", 144],
};

/** Where a field lies in superblocks of a version. */
export function fieldPlace(version: MetadataVersion, field: SuperblockField): FieldPlace {
  const [name, at, step = 0] = placesOf(version)[field];
  return { name, at, step };
}

function placesOf(version: MetadataVersion): Readonly<Record<SuperblockField, Row>> {
  if (version === "dm-raid") return VERSION_DM;
  return version === "0.90" ? VERSION_0 : VERSION_1;
}

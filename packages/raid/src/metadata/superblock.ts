import { assert } from "@cev/core";
import { encodeDmSuperblock } from "../dm-raid/dm-superblock.ts";
import { viewOf } from "./superblock-bytes.ts";
import { decodeSuperblock1, encodeSuperblock1 } from "./superblock-1.ts";
import { decodeOldSuperblock, encodeOldSuperblock } from "./superblock-old.ts";
import { SUPERBLOCK_MAGIC } from "./superblock-model.ts";
import type { Superblock, SuperblockPlace } from "./superblock-model.ts";

export {
  DeviceFlag,
  Role,
  SUPERBLOCK_LENGTH_MAX,
  memberSectors,
  ownRole,
  roleCount,
  syncSectors,
} from "./superblock-model.ts";
export type {
  MetadataVersion,
  OldDevice,
  OldSuperblockPart,
  PartialParityLog,
  Remnant,
  Remnants,
  Reshape,
  Superblock,
  SuperblockPlace,
  SuperblockVersion,
  Timestamp,
} from "./superblock-model.ts";

/** True where bytes begin with md's magic. */
export function hasSuperblockMagic(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && viewOf(bytes).getUint32(0, true) === SUPERBLOCK_MAGIC;
}

/**
 * Decodes and checks a superblock of any version of md's. Throws a `MetadataError` that names source, field and byte offset;
 * `CEV_UNKNOWN_FEATURE` for what nobody here has heard of. What is recognised is decoded: whether such an array can be
 * opened is judged by whoever opens it.
 */
export function decodeSuperblock(bytes: Uint8Array, place: SuperblockPlace): Superblock {
  assert(place.version !== "dm-raid", "dm-raid's superblock is decoded with what LVM says of the volume");
  return place.version === "0.90" ? decodeOldSuperblock(bytes, place) : decodeSuperblock1(bytes, place);
}

/**
 * The bytes of a superblock, checksum included: 4096 in version 0.90, 512 in dm-raid's, 256 and two for each device in the
 * others. What was decoded gives the bytes it was decoded from.
 */
export function encodeSuperblock(superblock: Superblock): Uint8Array {
  switch (superblock.version) {
    case "0.90":
      return encodeOldSuperblock(superblock);
    case "dm-raid":
      return encodeDmSuperblock(superblock);
    default:
      return encodeSuperblock1(superblock);
  }
}

import { CevError, isCevError } from "@cev/core";
import type { Environment, NamedLayer } from "@cev/core";
import { wipeSuperblocks } from "../metadata/create-array.ts";
import { bitmapRoomSectors, memberPlaces } from "../metadata/create-places.ts";
import { formatUuid } from "../metadata/identity.ts";
import { readSuperblock, scanTarget, superblockOffset } from "../metadata/member-scan.ts";
import { Role } from "../metadata/superblock.ts";
import type { Superblock } from "../metadata/superblock.ts";
import type { WriteIntents } from "./write-intents.ts";

const SECTOR = 512;

/** What the superblock of a device depends on that is added to an array. */
export interface NewMember {
  /** What the array's superblocks have in common. */
  readonly base: Superblock;
  readonly intents: WriteIntents | null;
  readonly name: string;
  readonly deviceSize: number;
  readonly deviceNumber: number;
  readonly environment: Environment;
}

/** The superblock of a spare with the metadata where the array's others have it, as mdadm lays it out. */
export function newMemberSuperblock(member: NewMember): Superblock {
  const { base, intents, name, deviceSize, deviceNumber, environment } = member;
  const { version, sizeSectors } = base;
  if (version === "dm-raid")
    throw new CevError("CEV_INVALID", `${name} cannot be added: LVM says what a volume's members are`, {
      source: name,
      hint: "let LVM repair the volume (lvconvert --repair)",
    });
  const byteOffset = superblockOffset(version, deviceSize);
  if (byteOffset === null)
    throw new CevError("CEV_INVALID", `${name} is too small for a superblock`, { source: name });
  const bitmap =
    intents === null
      ? null
      : {
          chunkSize: intents.head.chunkSize,
          offsetSectors: base.bitmapOffsetSectors,
          lengthSectors: Math.max(Math.ceil(intents.length / 4096) * 8, bitmapRoomSectors(sizeSectors)),
        };
  const places = memberPlaces({
    version,
    deviceSectors: Math.floor(deviceSize / SECTOR),
    superOffset: byteOffset / SECTOR,
    dataOffset: base.dataOffsetSectors,
    sizeSectors,
    bitmap,
  });
  const uuid = new Uint8Array(16);
  environment.random(uuid);
  return {
    ...base,
    deviceNumber,
    deviceUuid: version === "0.90" ? "" : formatUuid(uuid, 0),
    deviceFlags: 0,
    correctedReadCount: 0,
    dataOffsetSectors: places.dataOffset,
    dataSizeSectors: places.dataSize,
    superOffsetSectors: places.superOffset,
    badBlockShift: 0,
    badBlockSectors: places.badBlockSectors,
    badBlockOffsetSectors: places.badBlockOffset,
    recoverySectors: 0,
    journalTailSectors: 0,
    roles: base.roles.map((role, number) => (number === deviceNumber ? Role.spare : role)),
    old: base.old === null ? null : { ...base.old, devices: [] },
    remnants: null,
  };
}

/** Throws `CEV_BUSY` for a device that carries the superblock of another array, or one that cannot be understood. */
export async function refuseForeignUse(
  { name, layer }: NamedLayer,
  arrayUuid: string,
  environment: Environment,
): Promise<void> {
  let what: string;
  try {
    const found = await readSuperblock(scanTarget({ name, layer }, environment));
    if (found === null || found.arrayUuid === arrayUuid) return;
    what = `is part of array ${found.arrayName === "" ? found.arrayUuid : found.arrayName}`;
  } catch (error) {
    if (!isCevError(error) || (error.code !== "CEV_BAD_METADATA" && error.code !== "CEV_UNKNOWN_FEATURE"))
      throw error;
    what = `carries an md superblock (${error.message})`;
  }
  throw new CevError("CEV_BUSY", `${name} ${what}`, {
    source: name,
    hint: "use another device, or wipe its superblock first",
  });
}

/** What is left of superblocks of any version must not be found beside the new one. */
export function wipeOldSuperblocks(device: NamedLayer, environment: Environment): Promise<void> {
  return wipeSuperblocks(device, environment);
}

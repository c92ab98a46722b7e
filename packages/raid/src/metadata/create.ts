import type { Geometry } from "../levels/level.ts";
import { isMultiZone } from "../levels/raid0.ts";
import { checkCreateOptions, refuseCreation } from "./create-options.ts";
import type { CheckedOptions, CreateDevice, CreateInputs, CreateOptions } from "./create-options.ts";
import { bitmapShape, defaultDataOffsetSectors, usableSectors } from "./create-places.ts";
import type { BitmapShape } from "./create-places.ts";
import { commonSuperblock, memberSuperblock, oldPartOf, rolesOf, writesFor } from "./create-superblock.ts";
import type { Place, PlannedWrite } from "./create-superblock.ts";
import { FeatureFlag } from "./superblock-features.ts";
import { Role, memberSectors, ownRole, syncSectors } from "./superblock.ts";
import type { Superblock } from "./superblock.ts";

const SECTOR = 512;
// Above 100 GiB of each member mdadm makes a bitmap unasked.
const BITMAP_SECTORS_MIN = 100 * 1024 * 1024 * 2;
// So that a mirror can become a RAID5 later.
const MIRROR_ROUNDING_SECTORS = 128;
const OLD_SECTORS_MAX = 4 * 2 ** 31;

/** What is to be written to one device. */
export interface PlannedDevice {
  readonly name: string;
  readonly size: number;
  /** Its place in the array; null: a spare. */
  readonly index: number | null;
  readonly superblock: Superblock;
  /** The whole bitmap; null without one. To be written before the superblock. */
  readonly bitmap: PlannedWrite | null;
  /** The superblock, filled up with zeroes to 4 KiB. */
  readonly header: PlannedWrite;
}

/** A new array, with all that is to be written for it. Sizes in bytes. */
export interface CreatePlan {
  readonly arrayUuid: string;
  /** "host:name" as it stands in the superblocks. */
  readonly arrayName: string;
  readonly geometry: Geometry;
  readonly arraySize: number;
  /** What each member gives; 0 for linear and RAID0, which take what each has. */
  readonly memberSize: number;
  readonly bitmapChunkSize: number | null;
  /** In the order of their device numbers. */
  readonly devices: readonly PlannedDevice[];
  /** What is unusual, and may be meant so. */
  readonly warnings: readonly string[];
}

/**
 * Plans a new array with all of mdadm's defaults: pure, nothing is read or written. Where mdadm makes the last member of
 * a new RAID4 or RAID5 a spare that is rebuilt at once, here all members are active and the parity is made by a resync.
 * Throws `CEV_INVALID` for what cannot be made.
 */
export function planCreate(options: CreateOptions, inputs: CreateInputs): CreatePlan {
  const checked = checkCreateOptions(options);
  const { level, members, chunkSectors } = checked;
  const warnings: string[] = [];
  const dataOffset = chooseDataOffset(checked);
  const sizeSectors = chooseSize(checked, dataOffset, warnings);
  const { places, isClean } = arrangeMembers(checked);
  const common = commonSuperblock(checked, sizeSectors, isClean, inputs);
  const bitmap = chooseBitmap(checked, common);
  const features = common.features | (bitmap === null ? 0 : FeatureFlag.bitmap);
  const roles = rolesOf(checked, places);
  const old = oldPartOf(checked, places);
  const devices = places.map(({ device, index, number }): PlannedDevice => {
    const superblock = memberSuperblock({ ...common, features, roles, old, deviceNumber: number }, device, {
      dataOffset,
      bitmap,
      inputs,
    });
    return {
      name: device.name,
      size: device.size,
      index,
      superblock,
      ...writesFor(superblock, bitmap, device),
    };
  });
  const geometry = geometryOf(checked, devices, sizeSectors);
  if (!level.survives(geometry, (index) => places.some((place) => place.index === index)))
    refuseCreation(`${level.name} of ${members.length} members cannot run with so many missing`);
  const { arrayUuid, arrayName } = common;
  return {
    arrayUuid,
    arrayName,
    geometry: { ...geometry, chunkSize: chunkSectors * SECTOR },
    arraySize: level.sizeOf(geometry),
    memberSize: sizeSectors * SECTOR,
    bitmapChunkSize: bitmap?.chunkSize ?? null,
    devices,
    warnings,
  };
}

/** The same for all devices, as the first one needs it. */
function chooseDataOffset({ version, options, present, chunkSectors }: CheckedOptions): number {
  if (version !== "1.1" && version !== "1.2") return 0;
  if (options.dataOffset !== undefined) return options.dataOffset / SECTOR;
  return defaultDataOffsetSectors(Math.floor(present[0]!.size / SECTOR), chunkSectors);
}

/** What each member gives, in sectors: 0 for linear and RAID0. */
function chooseSize(checked: CheckedOptions, dataOffset: number, warnings: string[]): number {
  const { level, version, options, present, chunkSectors, members } = checked;
  const rounding = Math.max(2, chunkSectors);
  const usable = present.map(({ name, size }) => {
    const sectors = usableSectors(version, Math.floor(size / SECTOR), dataOffset);
    const whole = sectors - (sectors % rounding);
    if (whole <= 0) refuseCreation(`${name} is too small: after the metadata no chunk is left`);
    return whole;
  });
  if (level.number === 0 && version === "0.90" && usable.some((sectors) => sectors !== usable[0]))
    refuseCreation(
      "superblocks of version 0.90 cannot say how RAID0 lays out members of different sizes",
      "use version 1.2",
    );
  if (!level.isRedundant) return 0;
  // Spares count, too: each must be able to stand in for any member.
  const least = Math.min(...usable);
  const most = Math.max(...usable);
  let sectors = options.size === undefined ? least : Math.floor(options.size / 1024) * 2;
  if (options.size !== undefined) sectors -= sectors % rounding;
  else if (level.number === 1) sectors -= sectors % MIRROR_ROUNDING_SECTORS;
  if (level.number === 10) sectors = raid10Sectors(sectors, checked);
  if (sectors <= 0) refuseCreation("the size is less than a chunk");
  const short = present[usable.findIndex((available) => available < sectors)];
  if (short !== undefined)
    refuseCreation(`${short.name} is too small to give ${sectors * SECTOR} bytes to the array`);
  if (version === "0.90" && sectors >= OLD_SECTORS_MAX)
    refuseCreation("superblocks of version 0.90 know members up to 4 TiB", "use version 1.2");
  if ((most - sectors) * 100 > most)
    warnings.push(
      `${present[usable.indexOf(most)]!.name} is larger than the ${sectors * SECTOR} bytes that each of ${members.length} members gives, by more than 1 %`,
    );
  return sectors;
}

/**
 * What RAID10 uses of each member, as the kernel rounds it: `copies` of what the array holds, spread over all. Members of
 * layouts with far copies are used in whole multiples of those.
 */
function raid10Sectors(sectors: number, { layout, members, chunkSectors }: CheckedOptions): number {
  const near = layout & 0xff;
  const far = (layout >>> 8) & 0xff;
  const chunkCount = Math.floor((Math.floor(sectors / chunkSectors / far) * members.length) / near);
  return Math.ceil((chunkCount * near * far) / members.length) * chunkSectors;
}

/**
 * Which device is what. A RAID6 that begins with one member missing gets another one as a spare: with one missing its
 * parity could not be made right, with two there is none that could be wrong.
 */
function arrangeMembers(checked: CheckedOptions): { places: Place[]; isClean: boolean } {
  const { level, members, spares, options } = checked;
  const missing = members.flatMap((member, index) => (member === null ? [index] : []));
  const places: Place[] = [];
  let moved: CreateDevice | null = null;
  const mustMove = level.number === 6 && missing.length === 1 && options.assumeClean !== true;
  const last = members.length - 1;
  const movedIndex = mustMove ? (missing[0] === last ? last - 1 : last) : -1;
  members.forEach((device, index) => {
    if (index === movedIndex) moved = device;
    else if (device !== null) places.push({ device, index, number: index });
  });
  let number = members.length;
  for (const device of moved === null ? spares : [...spares, moved])
    places.push({ device, index: null, number: number++ });
  const isParityMissing = level.family === "parity" && missing.length > 0;
  return { places, isClean: options.assumeClean === true || !level.isRedundant || isParityMissing };
}

function chooseBitmap({ level, options, version }: CheckedOptions, common: Superblock): BitmapShape | null {
  const { sizeSectors } = common;
  const isWanted =
    options.bitmap === undefined
      ? options.bitmapChunkSize !== undefined || sizeSectors > BITMAP_SECTORS_MIN
      : options.bitmap === "internal";
  if (!isWanted || !level.isRedundant) return null;
  return bitmapShape({
    version,
    sizeSectors,
    syncSectors: syncSectors(common),
    chunkSize: options.bitmapChunkSize,
  });
}

function geometryOf(
  { level, members, layout, chunkSectors }: CheckedOptions,
  devices: readonly PlannedDevice[],
  sizeSectors: number,
): Geometry {
  const memberSizes = new Array<number>(members.length).fill(sizeSectors * SECTOR);
  for (const { superblock } of devices) {
    const role = ownRole(superblock);
    if (role < Role.special) memberSizes[role] = memberSectors(superblock) * SECTOR;
  }
  const chunkSize = chunkSectors * SECTOR;
  const geometry = { level: level.number, layout, chunkSize, memberCount: members.length, memberSizes };
  if (level.number === 0 && layout === 0 && isMultiZone(geometry))
    refuseCreation(
      "RAID0 of members of different sizes needs a layout that is known",
      "give the layout original (1) or alternate (2)",
    );
  return geometry;
}

import { FeatureFlag } from "../metadata/superblock-features.ts";
import { DeviceFlag, Role } from "../metadata/superblock-model.ts";
import type { OldDevice, OldSuperblockPart } from "../metadata/superblock-model.ts";
import type { Superblock, Timestamp } from "../metadata/superblock.ts";
import type { MemberDevice } from "./member.ts";
import type { RunningArray } from "./running-array.ts";

const SECTOR = 512;
const NO_NODE = { major: 0, minor: 0 };

/** What all superblocks of one update say. */
export interface SuperblockUpdate {
  /** What belongs to the array: its newest superblock, with the changes since. */
  readonly base: Superblock;
  readonly array: RunningArray;
  readonly eventCount: bigint;
  readonly hasBitmap: boolean;
  /** How far the members are known to agree; null: everywhere. */
  readonly resyncSectors: number | null;
  /** Bytes of its data that a member being rebuilt holds for certain. One that is not there holds none. */
  readonly recoveredTo: ReadonlyMap<MemberDevice, number>;
  /** Null: as it was. */
  readonly updatedAt: Timestamp | null;
  /** Who is away or has failed stands where `base` has it: it is not said yet that it is gone. */
  readonly keepsPlaces: boolean;
}

/** Every device of the array with its number in the table of roles, and its role. */
interface Numbered {
  readonly device: MemberDevice;
  readonly number: number;
  readonly role: number;
}

/** The superblock of each device of the array that takes updates: members in sync or being rebuilt, and spares. */
export function updatedSuperblocks(update: SuperblockUpdate): Map<MemberDevice, Superblock> {
  const { array, base } = update;
  const numbered = numberDevices(update);
  const kept = keptPlaces(update, numbered);
  const roles = rolesOf(numbered, base);
  for (const [number, role] of kept) roles[number] = role;
  const old = base.old === null ? null : { ...base.old, devices: oldDevices(numbered, base.old, kept) };
  const superblocks = new Map<MemberDevice, Superblock>();
  for (const { device, number } of numbered) {
    if (roles[number] === Role.faulty) continue;
    const member = array.members.find((one) => one.device === device) ?? null;
    const own = device.superblock;
    superblocks.set(device, {
      ...base,
      features: featuresOf(update, device),
      bitmapOffsetSectors: own.bitmapOffsetSectors === 0 ? base.bitmapOffsetSectors : own.bitmapOffsetSectors,
      dataOffsetSectors: own.dataOffsetSectors,
      // One that missed that the array grew has the room, too.
      dataSizeSectors: base.level > 0 ? Math.max(own.dataSizeSectors, base.sizeSectors) : own.dataSizeSectors,
      superOffsetSectors: own.superOffsetSectors,
      recoverySectors:
        member?.isRebuilding === true ? checkpointSectors(array, update.recoveredTo.get(device) ?? 0) : 0,
      journalTailSectors: 0,
      deviceNumber: number,
      correctedReadCount: own.correctedReadCount,
      deviceUuid: own.deviceUuid,
      deviceFlags: own.deviceFlags,
      badBlockShift: own.badBlockShift,
      badBlockSectors: own.badBlockSectors,
      badBlockOffsetSectors: own.badBlockOffsetSectors,
      updatedAt: update.updatedAt ?? own.updatedAt,
      eventCount: update.eventCount,
      resyncSectors: update.resyncSectors,
      roles,
      old,
      remnants: own.remnants,
    });
  }
  return superblocks;
}

/**
 * The smallest number, from the count of members on, that no device has: as the kernel numbers what is added. Nor one
 * that is not here, as far as the superblocks know: it may come back.
 */
export function freeDeviceNumber({ array, base }: Pick<SuperblockUpdate, "array" | "base">): number {
  const taken = new Set(devicesOf(array).map(({ device }) => device.superblock.deviceNumber));
  let number = base.memberCount;
  while (taken.has(number) || (base.roles[number] ?? Role.spare) < Role.special) number++;
  return number;
}

/**
 * How far a resync or a rebuild is, as it is recorded: in whole chunks, and stripes of whatever pages a kernel has (64 KiB at most). md goes
 * on from there stripe by stripe: of one that begins before it, what is behind it would never be done.
 */
function checkpointSectors({ geometry }: RunningArray, position: number): number {
  const grain = Math.max(geometry.chunkSize, 65_536);
  return (position - (position % grain)) / SECTOR;
}

/** How far the members are known to agree, as md says it: nothing is certain while writes may be under way. */
export function resyncSectorsOf(array: RunningArray, isActive: boolean): number | null {
  if (isActive) return 0;
  const first = array.unsynced[0];
  return first === undefined ? null : checkpointSectors(array, first.start);
}

/** True where a member missed the last update. */
export function isBehind({ members }: RunningArray, { eventCount, resyncSectors }: Superblock): boolean {
  return members.some(
    ({ takesWrites, device }) =>
      takesWrites &&
      (device!.superblock.eventCount !== eventCount || device!.superblock.resyncSectors !== resyncSectors),
  );
}

/** How far the members are rebuilt now, by device: another may have taken its place when that is written. */
export function positionsOf({ members }: RunningArray): Map<MemberDevice, number> {
  const positions = new Map<MemberDevice, number>();
  for (const { device, recoveredTo } of members) if (device !== null) positions.set(device, recoveredTo);
  return positions;
}

/** A moment of the wall clock; null without one. */
export function timestampOf(milliseconds: number | undefined): Timestamp | null {
  return milliseconds === undefined ? null : { seconds: Math.floor(milliseconds / 1000), microseconds: 0 };
}

function devicesOf(array: RunningArray): { readonly device: MemberDevice; readonly role: number }[] {
  const devices = array.members.flatMap((member) => {
    const { device } = member;
    return device === null ? [] : [{ device, role: member.takesWrites ? member.index : Role.faulty }];
  });
  for (const device of array.spares) devices.push({ device, role: Role.spare });
  for (const device of array.faulty) devices.push({ device, role: Role.faulty });
  return devices;
}

/**
 * Version 1 keeps the numbers that devices have. Version 0.90 knows the place of a member by its number alone, so there
 * all are numbered anew: members in sync by their places, then the others, those that are rebuilt as spares.
 */
function numberDevices({ array, base, keepsPlaces }: SuperblockUpdate): Numbered[] {
  const gone = keepsPlaces ? array.members.filter(({ takesWrites }) => !takesWrites) : [];
  const devices = devicesOf(array).filter(({ device }) => gone.every((member) => member.device !== device));
  if (base.version !== "0.90")
    return devices.map(({ device, role }) => ({ device, role, number: device.superblock.deviceNumber }));
  let next = base.memberCount;
  return devices.map(({ device, role }) => {
    if (role < Role.special && array.members[role]!.isInSync) return { device, role, number: role };
    return { device, role: role < Role.special ? Role.spare : role, number: next++ };
  });
}

function rolesOf(numbered: readonly Numbered[], base: Superblock): number[] {
  const length = Math.max(
    base.roles.length,
    ...numbered.map(({ device, number }) => Math.max(device.superblock.roles.length, number + 1)),
  );
  const roles = new Array<number>(length).fill(Role.spare);
  for (const { number, role } of numbered) roles[number] = role;
  return roles;
}

/**
 * The roles, by device number, of those that have their place no more, where that is not to be said yet. A spare that
 * `base` gives a place is none of them: it missed that, and holds nothing.
 */
function keptPlaces(
  { array, base, keepsPlaces }: SuperblockUpdate,
  numbered: readonly Numbered[],
): Map<number, number> {
  const roles = keepsPlaces ? [...base.roles.entries()] : [];
  const isHere = (number: number): boolean => numbered.some((one) => one.number === number);
  return new Map(
    roles.filter(([number, role]) => array.members[role]?.takesWrites === false && !isHere(number)),
  );
}

/** The nodes that the devices had are worth nothing, and stay with them. */
function oldDevices(
  numbered: readonly Numbered[],
  base: OldSuperblockPart,
  kept: ReadonlyMap<number, number>,
): OldDevice[] {
  const devices = numbered.map(({ device, number }): OldDevice => {
    const { old, deviceNumber, deviceFlags } = device.superblock;
    const node = old?.devices.find((one) => one.number === deviceNumber) ?? NO_NODE;
    const flags = deviceFlags & (DeviceFlag.writeMostly | DeviceFlag.failFast);
    return { number, major: node.major, minor: node.minor, flags };
  });
  devices.push(...base.devices.filter(({ number }) => kept.has(number)));
  return devices.sort((a, b) => a.number - b.number);
}

function featuresOf({ array, hasBitmap }: SuperblockUpdate, device: MemberDevice): number {
  const { superblock } = device;
  const computed =
    FeatureFlag.bitmap | FeatureFlag.recovery | FeatureFlag.recoveryBitmap | FeatureFlag.badBlocks;
  let features = superblock.features & ~computed;
  if (hasBitmap) features |= FeatureFlag.bitmap;
  const member = array.members.find((one) => one.device === device);
  if (member?.isRebuilding === true && superblock.version !== "0.90") {
    features |= FeatureFlag.recovery;
    if (member.isByBitmap && hasBitmap) features |= FeatureFlag.recoveryBitmap;
  }
  const badBlocks = member?.badBlocks ?? device.badBlocks ?? [];
  if (badBlocks.length > 0 && superblock.badBlockSectors > 0) features |= FeatureFlag.badBlocks;
  return features;
}

import { ProgramError, assert } from "@cev/core";
import { FeatureFlag } from "./superblock-features.ts";
import type { SuperblockFields } from "./superblock-fields.ts";
import { DeviceFlag, Role } from "./superblock-model.ts";
import type { OldDevice, Superblock } from "./superblock-model.ts";

/** Descriptors in a version 0.90 superblock: more devices it cannot have. */
export const OLD_DEVICES_MAX = 27;
const DISKS_AT = 512;
const THIS_DISK_AT = 3968;
const DESCRIPTOR_LENGTH = 128;

/** Bits of a descriptor's `state`. */
const DeviceState = {
  faulty: 0x1,
  active: 0x2,
  sync: 0x4,
  removed: 0x8,
  writeMostly: 0x200,
  failFast: 0x400,
} as const;

interface Descriptor {
  readonly number: number;
  readonly major: number;
  readonly minor: number;
  /** The place in the array; the number for those that have none. */
  readonly place: number;
  readonly state: number;
}

/** What a table of descriptors says. */
export interface OldDevices {
  readonly devices: readonly OldDevice[];
  readonly roles: readonly number[];
  readonly ownNumber: number;
  readonly ownFlags: number;
  /** The member has a place, and is not in sync: only during a reshape. */
  readonly isRecovering: boolean;
}

/** Reads the table of descriptors. */
export function decodeOldDevices(fields: SuperblockFields, isReshaping: boolean): OldDevices {
  const ownNumber = fields.uint32(THIS_DISK_AT);
  fields.check(
    ownNumber < OLD_DEVICES_MAX,
    "deviceNumber",
    `it says it is device ${ownNumber} of ${OLD_DEVICES_MAX}`,
  );
  const devices: OldDevice[] = [];
  const roles = new Array<number>(OLD_DEVICES_MAX).fill(Role.spare);
  for (let number = 0; number < OLD_DEVICES_MAX; number++) {
    const { major, minor, place, state } = descriptorAt(fields, DISKS_AT + DESCRIPTOR_LENGTH * number);
    const isEmpty = fields.uint32(DISKS_AT + DESCRIPTOR_LENGTH * number) === 0 && place === 0 && state === 0;
    if ((state & DeviceState.removed) !== 0 || (isEmpty && major === 0 && minor === 0)) continue;
    devices.push({ number, major, minor, flags: flagsOf(state) });
    if ((state & DeviceState.faulty) !== 0) roles[number] = Role.faulty;
    else if ((state & DeviceState.sync) !== 0 || (isReshaping && (state & DeviceState.active) !== 0)) {
      fields.check(
        place < OLD_DEVICES_MAX,
        "roles",
        `device ${number} has the place ${place} of ${OLD_DEVICES_MAX}`,
        number,
      );
      roles[number] = place;
    }
  }
  const own = descriptorAt(fields, DISKS_AT + DESCRIPTOR_LENGTH * ownNumber).state;
  const isRecovering = roles[ownNumber]! < Role.special && (own & DeviceState.sync) === 0;
  return { devices, roles, ownNumber, ownFlags: flagsOf(own), isRecovering };
}

function descriptorAt(fields: SuperblockFields, at: number): Omit<Descriptor, "number"> {
  return {
    major: fields.uint32(at + 4),
    minor: fields.uint32(at + 8),
    place: fields.uint32(at + 12),
    state: fields.uint32(at + 16),
  };
}

function flagsOf(state: number): number {
  return (
    ((state & DeviceState.writeMostly) === 0 ? 0 : DeviceFlag.writeMostly) |
    ((state & DeviceState.failFast) === 0 ? 0 : DeviceFlag.failFast)
  );
}

function stateOf(flags: number): number {
  return (
    ((flags & DeviceFlag.writeMostly) === 0 ? 0 : DeviceState.writeMostly) |
    ((flags & DeviceFlag.failFast) === 0 ? 0 : DeviceState.failFast)
  );
}

/**
 * Writes the table of descriptors and the counts of devices. As md has it, an active device has the number of its
 * place, and all others have numbers from `memberCount` on; a place without a device is marked as removed.
 */
export function encodeOldDevices(superblock: Superblock, view: DataView): void {
  const table = new Array<Descriptor | null>(OLD_DEVICES_MAX).fill(null);
  const { own, activeCount, spareCount } = placeDevices(superblock, table);
  let failedCount = 0;
  for (let place = 0; place < superblock.memberCount; place++) {
    if (table[place] !== null) continue;
    // md marks the first place before it looks at the others, and then takes it for marked already.
    const state = place === 0 ? DeviceState.removed : DeviceState.removed | DeviceState.faulty;
    if (place > 0) failedCount++;
    table[place] = { number: place, major: 0, minor: 0, place, state };
  }
  table.forEach((descriptor, number) => {
    if (descriptor !== null) putDescriptor(view, DISKS_AT + DESCRIPTOR_LENGTH * number, descriptor);
  });
  putDescriptor(view, THIS_DISK_AT, own);
  const present = table.filter((entry) => entry !== null && (entry.state & DeviceState.removed) === 0);
  view.setUint32(36, present.length, true);
  view.setUint32(136, activeCount, true);
  view.setUint32(140, activeCount + spareCount, true);
  view.setUint32(144, failedCount, true);
  view.setUint32(148, spareCount, true);
}

/** Fills the table with the devices there are, and says which is this one. */
function placeDevices(
  superblock: Superblock,
  table: (Descriptor | null)[],
): { own: Descriptor; activeCount: number; spareCount: number } {
  const { deviceNumber, old, memberCount, roles, reshape, features } = superblock;
  const known = new Map((old?.devices ?? []).map((device) => [device.number, device]));
  const isRebuilding = (features & FeatureFlag.recovery) !== 0;
  let own: Descriptor | null = null;
  let activeCount = 0;
  let spareCount = 0;
  const put = (from: number, number: number, place: number, state: number): void => {
    const { major = 0, minor = 0, flags = 0 } = known.get(from) ?? {};
    const ownFlags = from === deviceNumber ? superblock.deviceFlags : flags;
    const descriptor = { number, major, minor, place, state: state | stateOf(ownFlags) };
    table[number] = descriptor;
    if (from === deviceNumber) own = descriptor;
  };
  // There is no room for how far a rebuild has come: outside a reshape such a member counts as a spare again.
  const isSpareAgain = (number: number): boolean =>
    isRebuilding && reshape === null && number === deviceNumber;
  for (const [number, role] of roles.entries()) {
    if (role >= Role.special || isSpareAgain(number)) continue;
    assert(role < OLD_DEVICES_MAX, `version 0.90 has room for ${OLD_DEVICES_MAX} devices`);
    const isInSync = !isRebuilding || number !== deviceNumber;
    put(number, role, role, isInSync ? DeviceState.active | DeviceState.sync : DeviceState.active);
    activeCount++;
  }
  // Those that have a number of their own keep it.
  const others = [...Array(Math.max(roles.length, deviceNumber + 1)).keys()];
  for (const number of others.sort((a, b) => Number(a < memberCount) - Number(b < memberCount))) {
    const role = roles[number] ?? Role.spare;
    if (role < Role.special && !isSpareAgain(number)) continue;
    if (role !== Role.faulty && !known.has(number) && number !== deviceNumber) continue;
    const free = freeNumber(table, number, memberCount);
    put(number, free, free, role === Role.faulty ? DeviceState.faulty : 0);
    if (role !== Role.faulty) spareCount++;
  }
  assert(own !== null, "a superblock has a place for its own device");
  return { own, activeCount, spareCount };
}

/**
 * The number of a device without a place: the one it has, where no place has it, or the next from `memberCount` on; in a
 * table that is full, that of a place that nobody has.
 */
function freeNumber(table: readonly (Descriptor | null)[], number: number, memberCount: number): number {
  if (number >= memberCount && number < OLD_DEVICES_MAX && table[number] === null) return number;
  for (let step = 0; step < OLD_DEVICES_MAX; step++) {
    const free = (memberCount + step) % OLD_DEVICES_MAX;
    if (table[free] === null) return free;
  }
  throw new ProgramError(`version 0.90 has room for ${OLD_DEVICES_MAX} devices`);
}

function putDescriptor(view: DataView, at: number, { number, major, minor, place, state }: Descriptor): void {
  view.setUint32(at, number, true);
  view.setUint32(at + 4, major, true);
  view.setUint32(at + 8, minor, true);
  view.setUint32(at + 12, place, true);
  view.setUint32(at + 16, state, true);
}

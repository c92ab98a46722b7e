import { BITMAP_HEAD_LENGTH, encodeBitmapHead } from "./bitmap.ts";
import { refuseCreation } from "./create-options.ts";
import type { CheckedOptions, CreateDevice, CreateInputs, CreateOptions } from "./create-options.ts";
import { memberPlaces } from "./create-places.ts";
import type { BitmapShape } from "./create-places.ts";
import { encodeName, formatName, formatUuid } from "./identity.ts";
import { bitmapUuid, superblockOffset } from "./member-scan.ts";
import { FeatureFlag } from "./superblock-features.ts";
import { OLD_DEVICES_MAX } from "./superblock-old-devices.ts";
import {
  Role,
  SUPERBLOCK_LENGTH_MAX,
  decodeSuperblock,
  encodeSuperblock,
  syncSectors,
} from "./superblock.ts";
import type { OldSuperblockPart, Superblock, SuperblockVersion } from "./superblock.ts";

const SECTOR = 512;
const DAEMON_SLEEP_SECONDS = 5;
const NAME_LENGTH_MAX = 32;

/** Bytes that go to a place on a device. */
export interface PlannedWrite {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** A device of a new array: with a place, or a spare. */
export interface Place {
  readonly device: CreateDevice;
  readonly index: number | null;
  readonly number: number;
}

/** The table of roles of a new array. */
export function rolesOf({ members, version }: CheckedOptions, places: readonly Place[]): number[] {
  const last = Math.max(members.length, ...places.map(({ number }) => number + 1));
  // mdadm fills up the superblock's last sector.
  const length =
    version === "0.90" ? OLD_DEVICES_MAX : (Math.ceil((256 + 2 * last) / SECTOR) * SECTOR - 256) / 2;
  const roles = new Array<number>(Math.min(length, (SUPERBLOCK_LENGTH_MAX - 256) / 2)).fill(Role.spare);
  for (const { index, number } of places) if (index !== null) roles[number] = index;
  return roles;
}

/** What only version 0.90 has; null for the others. */
export function oldPartOf(
  { version, options }: CheckedOptions,
  places: readonly Place[],
): OldSuperblockPart | null {
  if (version !== "0.90") return null;
  const devices = places.map(({ number }) => ({ number, major: 0, minor: 0, flags: 0 }));
  return { preferredMinor: minorOf(options.name), patchVersion: 0, devices };
}

/** A superblock of a version that arrays are made with. */
type NewSuperblock = Superblock & { readonly version: SuperblockVersion };

/** What the superblocks of all devices have in common. */
export function commonSuperblock(
  { level, members, layout, chunkSectors, version, uuid, options, present }: CheckedOptions,
  sizeSectors: number,
  isClean: boolean,
  inputs: CreateInputs,
): NewSuperblock {
  const seconds = Math.floor((inputs.wallClock?.now() ?? 0) / 1000);
  const createdAt = { seconds, microseconds: 0 };
  const first = Math.floor(present[0]!.size / chunkSectors);
  const isUneven = present.some(({ size }) => Math.floor(size / chunkSectors) !== first);
  const needsLayout = level.number === 0 && layout !== 0 && isUneven && version !== "0.90";
  return {
    version,
    features: needsLayout ? FeatureFlag.raid0Layout : 0,
    arrayUuid: formatUuid(uuid ?? randomUuid(inputs), 0),
    arrayName: version === "0.90" ? "" : arrayNameOf(options),
    createdAt,
    level: level.number,
    layout: version === "0.90" && level.number === 0 ? 0 : layout,
    sizeSectors,
    chunkSectors,
    memberCount: members.length,
    bitmapOffsetSectors: 0,
    partialParityLog: null,
    reshape: null,
    dataOffsetSectors: 0,
    dataSizeSectors: 0,
    superOffsetSectors: 0,
    recoverySectors: 0,
    journalTailSectors: 0,
    deviceNumber: 0,
    correctedReadCount: 0,
    deviceUuid: "",
    deviceFlags: 0,
    badBlockShift: 0,
    badBlockSectors: 0,
    badBlockOffsetSectors: 0,
    updatedAt: createdAt,
    eventCount: version === "0.90" ? 1n : 0n,
    resyncSectors: isClean ? null : 0,
    roles: [],
    old: null,
    remnants: null,
  };
}

/** The host's name goes before the array's where both fit, and where the array's has no host of its own. */
function arrayNameOf({ name = "", homehost = "" }: CreateOptions): string {
  const bytes = encodeName(name);
  const host = encodeName(homehost);
  const canPrefix = homehost !== "" && name !== "" && !name.includes(":");
  const full =
    canPrefix && host.length + 1 + bytes.length < NAME_LENGTH_MAX
      ? Uint8Array.of(...host, 0x3a, ...bytes)
      : bytes.subarray(0, NAME_LENGTH_MAX - 1);
  return formatName(full, 0, full.length);
}

/** "/dev/md7" for an array that is called "7". */
function minorOf(name = ""): number {
  return /^[0-9]{1,6}$/.test(name) ? Number(name) : 0;
}

function randomUuid({ random }: CreateInputs): Uint8Array {
  const bytes = new Uint8Array(16);
  random(bytes);
  return bytes;
}

/** What the superblocks of members differ by, but for their numbers. */
export interface MemberShape {
  readonly dataOffset: number;
  readonly bitmap: BitmapShape | null;
  readonly inputs: CreateInputs;
}

/** The superblock of one device, with its own places. */
export function memberSuperblock(
  common: NewSuperblock,
  device: CreateDevice,
  { dataOffset, bitmap, inputs }: MemberShape,
): Superblock {
  const { version, sizeSectors } = common;
  const byteOffset = superblockOffset(version, device.size);
  if (byteOffset === null) refuseCreation(`${device.name} is too small for a superblock`);
  const places = memberPlaces({
    version,
    deviceSectors: Math.floor(device.size / SECTOR),
    superOffset: byteOffset / SECTOR,
    dataOffset,
    sizeSectors,
    bitmap,
  });
  const bitmapEnd = places.superOffset + (bitmap === null ? 0 : bitmap.offsetSectors + bitmap.lengthSectors);
  if (version !== "1.0" && version !== "0.90" && dataOffset < Math.max(bitmapEnd, places.superOffset + 8))
    refuseCreation(
      `data that begins at byte ${dataOffset * SECTOR} leaves no room for the metadata before it`,
    );
  return {
    ...common,
    deviceUuid: version === "0.90" ? "" : formatUuid(randomUuid(inputs), 0),
    superOffsetSectors: places.superOffset,
    dataOffsetSectors: places.dataOffset,
    dataSizeSectors: places.dataSize,
    badBlockSectors: places.badBlockSectors,
    badBlockOffsetSectors: places.badBlockOffset,
    bitmapOffsetSectors: bitmap?.offsetSectors ?? 0,
  };
}

/** What is to be written for it. */
export function writesFor(
  superblock: Superblock,
  bitmap: BitmapShape | null,
  { name, size }: CreateDevice,
): { bitmap: PlannedWrite | null; header: PlannedWrite } {
  const { version, superOffsetSectors, resyncSectors } = superblock;
  const byteOffset = superOffsetSectors * SECTOR;
  const bytes = new Uint8Array(SUPERBLOCK_LENGTH_MAX);
  bytes.set(encodeSuperblock(superblock));
  // Whatever is written can be read again: a shape that contradicts itself must not get to a disk.
  decodeSuperblock(bytes, { source: name, deviceSize: size, version, byteOffset });
  const header = { offset: byteOffset, bytes };
  if (bitmap === null) return { bitmap: null, header };
  const content = new Uint8Array(bitmap.lengthSectors * SECTOR);
  // Nothing is known to agree, unless it is said to.
  if (resyncSectors !== null || superblock.roles.filter(isPlace).length < superblock.memberCount)
    content.fill(0xff, BITMAP_HEAD_LENGTH);
  content.set(
    encodeBitmapHead({
      arrayUuid: bitmapUuid(superblock),
      eventCount: superblock.eventCount,
      clearedEventCount: 0n,
      syncSectors: syncSectors(superblock),
      state: 0,
      chunkSize: bitmap.chunkSize,
      daemonSleepSeconds: DAEMON_SLEEP_SECONDS,
      writeBehind: 0,
      reservedSectors: 0,
    }),
  );
  return { bitmap: { offset: (superOffsetSectors + bitmap.offsetSectors) * SECTOR, bytes: content }, header };
}

const isPlace = (role: number): boolean => role < Role.special;

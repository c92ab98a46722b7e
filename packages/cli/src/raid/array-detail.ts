import type { Layer } from "@cev/core";
import { DeviceFlag, RaidLayer, Role } from "@cev/raid";
import type { Member, MemberDevice, Superblock } from "@cev/raid";
import type { StackDevice } from "@cev/stack";
import { layoutText, levelText } from "./examination.ts";
import { isoTime } from "./mdadm-words.ts";

const SECTOR = 512;

/** One line of the table of `mdadm --detail`. */
export interface DetailRow {
  /** The device's number in the superblocks; null where there is none. */
  readonly number: number | null;
  /** The place in the array; null: it has none. */
  readonly role: number | null;
  /** In mdadm's words: "active sync", "spare rebuilding", "spare", "faulty", "removed". */
  readonly state: string;
  /** As the user calls it; null: nobody is there. */
  readonly device: string | null;
  /** While it is rebuilt: bytes that are done. */
  readonly recoveredTo: number | null;
  readonly isWriteMostly: boolean;
  readonly isFailFast: boolean;
}

/** A device that was given and is no part of the array. */
export interface LeftOutDevice {
  readonly device: string;
  readonly reason: string;
}

/** The write-intent bitmap: of so many bits so many are set. */
export interface BitmapDetail {
  readonly chunkSize: number;
  readonly bitCount: number;
  readonly dirtyCount: number;
  readonly events: number;
}

/** What goes on in the background. */
export interface SyncDetail {
  readonly action: string;
  readonly isPaused: boolean;
  /** Bytes; 0 of 0 where nothing is known yet. */
  readonly done: number;
  readonly total: number;
  readonly bytesPerSecond: number;
}

/** An array as it is now, as plain data. Sizes in bytes. */
export interface ArrayDetail {
  readonly device: string;
  readonly name: string;
  readonly uuid: string;
  readonly metadata: string;
  readonly level: string;
  readonly layout: string | null;
  readonly chunkSize: number;
  readonly size: number;
  /** What each member gives; null for linear and RAID0, which take all of each. */
  readonly usedSize: number | null;
  readonly memberCount: number;
  readonly createdAt: string | null;
  readonly updatedAt: string | null;
  readonly state: string;
  readonly events: number;
  readonly consistencyPolicy: string;
  readonly preferredMinor: number | null;
  readonly bitmap: BitmapDetail | null;
  /** A change of shape that was begun. */
  readonly reshape: { readonly position: number; readonly isBackwards: boolean } | null;
  readonly sync: SyncDetail | null;
  /** Of the last check or repair, in sectors, as md counts it; null: none was run. */
  readonly mismatchCount: number | null;
  readonly members: readonly DetailRow[];
  readonly leftOut: readonly LeftOutDevice[];
}

/** The array's own layer, below whatever keeps it from being written; in the middle of a reshape, the shape it is to have. */
export function raidLayerOf(layer: Layer | null): RaidLayer | null {
  if (layer === null || layer instanceof RaidLayer) return layer;
  if ("after" in layer && layer.after instanceof RaidLayer) return layer.after;
  return raidLayerOf(layer.lowers[0] ?? null);
}

/** What there is to be said about an array that was put together. */
export function detailOf(record: StackDevice): ArrayDetail {
  const layer = raidLayerOf(record.layer)!;
  const { array, superblock } = layer;
  return {
    device: record.name,
    name: superblock.arrayName,
    uuid: superblock.arrayUuid,
    metadata: superblock.version,
    level: levelText(superblock.level),
    layout: layoutText(superblock),
    chunkSize: superblock.chunkSectors * SECTOR,
    size: record.layer!.limits.size,
    usedSize: superblock.level > 0 ? superblock.sizeSectors * SECTOR : null,
    memberCount: superblock.memberCount,
    createdAt: isoTime(superblock.createdAt.seconds),
    updatedAt: isoTime(superblock.updatedAt.seconds),
    state: stateOf(layer),
    events: Number(layer.eventCount),
    consistencyPolicy: policyOf(superblock),
    preferredMinor: superblock.old?.preferredMinor ?? null,
    bitmap: bitmapOf(record, layer),
    reshape: reshapeOf(record),
    sync: syncOf(layer),
    mismatchCount: layer.mismatchedBytes === null ? null : layer.mismatchedBytes / SECTOR,
    members: [
      ...array.members.map(memberRow),
      ...array.spares.map((one) => otherRow(one, "spare")),
      ...array.faulty.map((one) => otherRow(one, "faulty")),
    ],
    leftOut: leftOutOf(record),
  };
}

/** As mdadm says it: "clean, degraded, recovering". */
export function stateOf(layer: RaidLayer): string {
  const { array, action } = layer;
  const isActive = array.keeper === null ? layer.superblock.resyncSectors !== null : layer.isActive;
  const words = [isActive ? "active" : "clean"];
  if (array.isBroken) words.push("FAILED");
  else if (array.lostCount > 0) words.push("degraded");
  if (action !== "idle") words.push(ACTION_WORDS[action]);
  else if (array.unsynced.length > 0) words.push("resyncing (PENDING)");
  return words.join(", ");
}

const ACTION_WORDS = {
  resync: "resyncing",
  recover: "recovering",
  check: "checking",
  repair: "repairing",
} as const;

/** What goes on in the background of an array; null: nothing. */
export function syncOf(layer: RaidLayer): SyncDetail | null {
  const { progress } = layer;
  if (progress === null) return null;
  const { action, done, total, bytesPerSecond } = progress;
  return { action, isPaused: layer.isPaused, done, total, bytesPerSecond };
}

const STATE_WORDS = {
  "in sync": "active sync",
  rebuilding: "spare rebuilding",
  failed: "faulty",
  missing: "removed",
} as const;

function memberRow({ index, device, name, state, recoveredTo }: Member): DetailRow {
  return {
    number: device?.superblock.deviceNumber ?? null,
    role: index,
    state: STATE_WORDS[state],
    device: device === null ? null : name,
    recoveredTo: state === "rebuilding" ? recoveredTo : null,
    ...flagsOf(device),
  };
}

function otherRow(device: MemberDevice, state: string): DetailRow {
  const { name, superblock } = device;
  const flags = flagsOf(device);
  return { number: superblock.deviceNumber, role: null, state, device: name, recoveredTo: null, ...flags };
}

function flagsOf(device: MemberDevice | null): Pick<DetailRow, "isWriteMostly" | "isFailFast"> {
  const flags = device?.superblock.deviceFlags ?? 0;
  return {
    isWriteMostly: (flags & DeviceFlag.writeMostly) !== 0,
    isFailFast: (flags & DeviceFlag.failFast) !== 0,
  };
}

/** As the driver told of it, with the bits that are set now. */
function bitmapOf({ details }: StackDevice, { markedCount, eventCount }: RaidLayer): BitmapDetail | null {
  const bitmap = details["bitmap"];
  if (typeof bitmap !== "object" || bitmap === null || !("bitCount" in bitmap)) return null;
  const told = bitmap as unknown as BitmapDetail;
  return markedCount === null ? told : { ...told, dirtyCount: markedCount, events: Number(eventCount) };
}

function policyOf({ level, bitmapOffsetSectors, partialParityLog, roles }: Superblock): string {
  if (level <= 0) return "none";
  if (roles.includes(Role.journal)) return "journal";
  if (partialParityLog !== null) return "ppl";
  return bitmapOffsetSectors === 0 ? "resync" : "bitmap";
}

function reshapeOf({ details }: StackDevice): ArrayDetail["reshape"] {
  const reshape = details["reshape"];
  if (typeof reshape !== "object" || reshape === null || !("position" in reshape)) return null;
  return { position: Number(reshape["position"]), isBackwards: reshape["isBackwards"] === true };
}

function leftOutOf({ details }: StackDevice): LeftOutDevice[] {
  const list = details["leftOut"];
  if (!Array.isArray(list)) return [];
  return list.filter(
    (one): one is { device: string; reason: string } =>
      typeof one === "object" && one !== null && "device" in one && "reason" in one,
  );
}

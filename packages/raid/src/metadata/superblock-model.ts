/** First four bytes of every md superblock, as a little-endian number. */
export const SUPERBLOCK_MAGIC = 0xa92b4efc;
/** Bytes that a superblock takes at most. */
export const SUPERBLOCK_LENGTH_MAX = 4096;

/** Values in the table of roles that are no member's index. */
export const Role = { spare: 0xffff, faulty: 0xfffe, journal: 0xfffd, special: 0xff00 } as const;

/** Bits of `deviceFlags`. */
export const DeviceFlag = { writeMostly: 1, failFast: 2 } as const;

/**
 * Where a superblock lies on its member: 0.90 in the last whole 64 KiB but one, 1.0 at the end, 1.1 at the start, 1.2
 * at 4 KiB from the start.
 */
export type SuperblockVersion = "0.90" | "1.0" | "1.1" | "1.2";

/** md's own versions, and what dm-raid keeps at the start of a member of an LVM volume. */
export type MetadataVersion = SuperblockVersion | "dm-raid";

/** A moment as md keeps it. */
export interface Timestamp {
  /** Since 1970, up to 2^40; up to 2^32 in version 0.90. */
  readonly seconds: number;
  /** 0 in version 0.90. */
  readonly microseconds: number;
}

/**
 * A change of shape that is under way. `level`, `layout` and `chunkSectors` of the superblock are those from before,
 * `memberCount` is that of after.
 */
export interface Reshape {
  /** How far it has come, in sectors of the array. */
  readonly positionSectors: number;
  readonly level: number;
  /** How many members more (or, negative, fewer) than before. */
  readonly memberDelta: number;
  readonly layout: number;
  readonly chunkSectors: number;
  /** What this member's data moves by; 0 without `FeatureFlag.newOffset`. */
  readonly offsetSectors: number;
}

/** Where RAID5 keeps its partial parity log on a member; the place counts from the superblock. */
export interface PartialParityLog {
  readonly offsetSectors: number;
  readonly sizeSectors: number;
}

/** What a version 0.90 superblock says of one device. */
export interface OldDevice {
  /** Its place in the table of descriptors. */
  readonly number: number;
  /** The device node it had: worth nothing elsewhere, and kept. */
  readonly major: number;
  readonly minor: number;
  /** `DeviceFlag`s, or-ed. */
  readonly flags: number;
}

/** What only version 0.90 has. */
export interface OldSuperblockPart {
  /** The number in /dev/md0. */
  readonly preferredMinor: number;
  /** Equal in all members, and otherwise without a meaning. */
  readonly patchVersion: number;
  /** The devices that have a descriptor, those that were removed left out. */
  readonly devices: readonly OldDevice[];
}

/** A word of a superblock that means nothing there. */
export interface Remnant {
  /** Bytes from the superblock's begin. */
  readonly at: number;
  readonly value: number;
  /** What would stand there otherwise. */
  readonly insteadOf: number;
}

/** What is written back as it was while the superblock has still these events; the next update makes it zero, as md does. */
export interface Remnants {
  readonly eventCount: bigint;
  readonly words: readonly Remnant[];
}

/** A superblock of any version. Sizes and places in sectors; places of bitmap and bad-block log count from the superblock. */
export interface Superblock {
  readonly version: MetadataVersion;
  /** `FeatureFlag`s, or-ed; version 0.90 knows `bitmap` and `reshape`. */
  readonly features: number;
  /** As mdadm prints it: "c0ffee00:11223344:55667788:99aabbcc". */
  readonly arrayUuid: string;
  /** "host:name", or a name alone; "" in version 0.90. */
  readonly arrayName: string;
  readonly createdAt: Timestamp;
  readonly level: number;
  readonly layout: number;
  /** What each member gives to the array; linear and RAID0 take all of `dataSizeSectors` instead. */
  readonly sizeSectors: number;
  readonly chunkSectors: number;
  readonly memberCount: number;
  /** 0 without `FeatureFlag.bitmap`. */
  readonly bitmapOffsetSectors: number;
  readonly partialParityLog: PartialParityLog | null;
  readonly reshape: Reshape | null;
  readonly dataOffsetSectors: number;
  readonly dataSizeSectors: number;
  readonly superOffsetSectors: number;
  /** With `FeatureFlag.recovery`: how far this member has been rebuilt. */
  readonly recoverySectors: number;
  /** On a journal device: where its log ends, from the data's begin. */
  readonly journalTailSectors: number;
  /** This member's place in `roles`. */
  readonly deviceNumber: number;
  readonly correctedReadCount: number;
  /** "" in version 0.90. */
  readonly deviceUuid: string;
  /** `DeviceFlag`s, or-ed. */
  readonly deviceFlags: number;
  /** Of the bad-block log: its blocks have 512 shifted by this many bytes. */
  readonly badBlockShift: number;
  readonly badBlockSectors: number;
  readonly badBlockOffsetSectors: number;
  readonly updatedAt: Timestamp;
  readonly eventCount: bigint;
  /** How far the members are known to agree; null: everywhere (the array is clean). */
  readonly resyncSectors: number | null;
  /** By device number: the index of the member, or one of `Role`. */
  readonly roles: readonly number[];
  /** Version 0.90 only; null in the others. */
  readonly old: OldSuperblockPart | null;
  /** Null where every byte means something or is zero. */
  readonly remnants: Remnants | null;
}

/** What a device is called and how large it is, for checks and errors. */
export interface SuperblockPlace {
  readonly source: string;
  /** Bytes. */
  readonly deviceSize: number;
  readonly version: MetadataVersion;
  /** Where the superblock was read, in bytes. */
  readonly byteOffset: number;
}

/** The role of the member itself: its index in the array, or one of `Role`. */
export function ownRole(superblock: Superblock): number {
  return superblock.roles[superblock.deviceNumber] ?? Role.spare;
}

/** Sectors that this member gives to the array: all it has for linear and RAID0, which use unequal members whole. */
export function memberSectors({ level, sizeSectors, dataSizeSectors }: Superblock): number {
  return level <= 0 ? dataSizeSectors : sizeSectors;
}

/** How many members take part at most: while a reshape removes some, they still do. */
export function roleCount({ memberCount, reshape }: Superblock): number {
  return Math.max(memberCount, memberCount - (reshape?.memberDelta ?? 0));
}

/**
 * Sectors that bits of a bitmap and resync positions count: those of a member's data, and the array's own for RAID10
 * (whose layout says how many copies there are: near in its lowest byte, far in the next).
 */
export function syncSectors({ level, layout, chunkSectors, sizeSectors, memberCount }: Superblock): number {
  if (level !== 10) return sizeSectors;
  const near = layout & 0xff;
  const far = (layout >>> 8) & 0xff;
  if (near * far === 0) return 0;
  const chunkCount = Math.floor(Math.floor(sizeSectors / chunkSectors) / far);
  return Math.floor((chunkCount * memberCount) / near) * chunkSectors;
}

import { MetadataError, assert } from "@cev/core";
import { formatUuid, parseUuid } from "./identity.ts";

/** First four bytes of a write-intent bitmap, as a little-endian number: "bitm". */
export const BITMAP_MAGIC = 0x6d746962;
/** Bytes before the first bit. */
export const BITMAP_HEAD_LENGTH = 256;
const SECTOR = 512;
const WRITE_BEHIND_MAX = 8191;
// A thousand times what mdadm makes: what claims more is not to be believed, nor to be read into memory.
const LENGTH_MAX = 16 * 1024 * 1024;
const VERSION = 4;
const STRUCTURE = "md bitmap";

/** Bits of the bitmap's `state`. */
export const BitmapState = { stale: 2, writeError: 4, hostEndian: 0x8000 } as const;

/** The head of an internal write-intent bitmap, version 4. */
export interface BitmapHead {
  readonly arrayUuid: string;
  /** A bitmap with fewer events than its superblock is out of date. */
  readonly eventCount: bigint;
  /** Event count at which bits were cleared last, with all members there. */
  readonly clearedEventCount: bigint;
  /** Sectors of a member that the bits cover. */
  readonly syncSectors: number;
  /** `BitmapState`s, or-ed. */
  readonly state: number;
  /** Bytes of a member that one bit covers. */
  readonly chunkSize: number;
  readonly daemonSleepSeconds: number;
  readonly writeBehind: number;
  /** Room kept for the bitmap; 0: not said. */
  readonly reservedSectors: number;
}

/** Where a bitmap was read. */
export interface BitmapPlace {
  readonly source: string;
  /** Bytes. */
  readonly byteOffset: number;
  /** The array it ought to belong to. */
  readonly arrayUuid: string;
  /** What each member gives to the array. */
  readonly sizeSectors: number;
}

/** Decodes and checks the head of a bitmap. Throws a `MetadataError`. */
export function decodeBitmapHead(bytes: Uint8Array, place: BitmapPlace): BitmapHead {
  const check = (condition: boolean, field: string, at: number, message: string): void => {
    if (!condition) throw bitmapError(place, field, at, message);
  };
  check(bytes.length >= BITMAP_HEAD_LENGTH, "magic", 0, "the bitmap is cut short");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  check(view.getUint32(0, true) === BITMAP_MAGIC, "magic", 0, "the magic number is wrong");
  const version = view.getUint32(4, true);
  if (version !== VERSION) {
    const message = `version ${version} of the bitmap is not supported`;
    throw bitmapError(place, "version", 4, message, "CEV_UNKNOWN_FEATURE");
  }
  const head: BitmapHead = {
    arrayUuid: formatUuid(bytes, 8),
    eventCount: view.getBigUint64(24, true),
    clearedEventCount: view.getBigUint64(32, true),
    syncSectors: Number(view.getBigUint64(40, true)),
    state: view.getUint32(48, true),
    chunkSize: view.getUint32(52, true),
    daemonSleepSeconds: view.getUint32(56, true),
    writeBehind: view.getUint32(60, true),
    reservedSectors: view.getUint32(64, true),
  };
  check(head.arrayUuid === place.arrayUuid, "uuid", 8, "the bitmap belongs to another array");
  check(
    head.syncSectors === place.sizeSectors,
    "sync_size",
    40,
    `the bitmap covers ${head.syncSectors} sectors of ${place.sizeSectors}`,
  );
  const { chunkSize } = head;
  check(
    chunkSize >= SECTOR && Number.isInteger(Math.log2(chunkSize)),
    "chunksize",
    52,
    `a bit for ${chunkSize} bytes is impossible`,
  );
  check(
    bitmapLength(head) <= LENGTH_MAX,
    "chunksize",
    52,
    `a bit for ${chunkSize} bytes makes a bitmap of ${bitmapLength(head)}: more than ${LENGTH_MAX}`,
  );
  check(
    (head.state & BitmapState.hostEndian) === 0,
    "state",
    48,
    "the bits are in the order of another machine",
  );
  check(head.daemonSleepSeconds >= 1, "daemon_sleep", 56, "the period is zero");
  check(
    head.writeBehind <= WRITE_BEHIND_MAX,
    "write_behind",
    60,
    "the number of writes behind is out of range",
  );
  check(
    head.reservedSectors === 0 || bitmapLength(head) <= head.reservedSectors * SECTOR,
    "sectors_reserved",
    64,
    "the bitmap is larger than the room kept for it",
  );
  check(view.getUint32(68, true) === 0, "nodes", 68, "the bitmap is shared by a cluster");
  return head;
}

/** What the head of a bitmap says that its bits cover, in sectors, before anything else of it is believed. */
export function bitmapSyncSectors(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return bytes.length < BITMAP_HEAD_LENGTH ? 0 : Number(view.getBigUint64(40, true));
}

/** The 256 bytes of a bitmap's head. */
export function encodeBitmapHead(head: BitmapHead): Uint8Array {
  const bytes = new Uint8Array(BITMAP_HEAD_LENGTH);
  const view = new DataView(bytes.buffer);
  const uuid = parseUuid(head.arrayUuid);
  assert(uuid !== null, "a UUID has 32 hexadecimal digits");
  view.setUint32(0, BITMAP_MAGIC, true);
  view.setUint32(4, VERSION, true);
  bytes.set(uuid, 8);
  view.setBigUint64(24, head.eventCount, true);
  view.setBigUint64(32, head.clearedEventCount, true);
  view.setBigUint64(40, BigInt(head.syncSectors), true);
  view.setUint32(48, head.state, true);
  view.setUint32(52, head.chunkSize, true);
  view.setUint32(56, head.daemonSleepSeconds, true);
  view.setUint32(60, head.writeBehind, true);
  view.setUint32(64, head.reservedSectors, true);
  return bytes;
}

/** How many bits a bitmap has. */
export function bitCount(head: BitmapHead): number {
  return Math.ceil((head.syncSectors * SECTOR) / head.chunkSize);
}

/** Bytes of head and bits. */
export function bitmapLength(head: BitmapHead): number {
  return BITMAP_HEAD_LENGTH + Math.ceil(bitCount(head) / 8);
}

/** True where the bit is set: that range of the members may differ. `bits`: the bytes after the head. */
export function hasBit(bits: Uint8Array, index: number): boolean {
  return (bits[index >>> 3]! & (1 << (index & 7))) !== 0;
}

export function setBit(bits: Uint8Array, index: number): void {
  bits[index >>> 3]! |= 1 << (index & 7);
}

export function clearBit(bits: Uint8Array, index: number): void {
  bits[index >>> 3]! &= ~(1 << (index & 7));
}

function bitmapError(
  place: BitmapPlace,
  field: string,
  at: number,
  message: string,
  code: "CEV_BAD_METADATA" | "CEV_UNKNOWN_FEATURE" = "CEV_BAD_METADATA",
): MetadataError {
  const { source, byteOffset } = place;
  return new MetadataError(
    message,
    { source, structure: STRUCTURE, field, byteOffset: byteOffset + at },
    code,
  );
}

import type { Io, Run } from "@cev/core";
import type { Member } from "./member.ts";
import type { ByteRange } from "./unsynced-ranges.ts";

/**
 * What a pass over the redundancy does with what differs: `resync` and `repair` make it right, `check` only counts.
 * `resync` trusts nothing that was not synced before; `repair` makes a whole array right.
 */
export type SyncWay = "resync" | "check" | "repair";

/**
 * How the requests of one family of levels are served, as md calls it. It moves data; when superblocks and bitmap are
 * written, and which members take part, is the array's.
 *
 * *Sync space* are the bytes that resync positions and bitmap bits count: a member's data, for RAID10 the array's own.
 * *Member space* are the bytes of a member's data, which rebuild positions count.
 */
export interface Personality {
  /** Bytes of the array. */
  readonly size: number;
  /** Requests of this many bytes, so aligned, are the fastest. */
  readonly ioLengthPreferred: number;
  /** Bytes of sync space; 0: there is nothing to sync. */
  readonly syncSize: number;
  /** Sync and rebuild work on pieces of so many bytes, which begin at multiples of it. */
  readonly syncStep: number;
  /** True where discards and write-zeroes are served. */
  readonly hasDiscard: boolean;
  readonly hasWriteZeroes: boolean;
  /** A read, write, discard or write-zeroes within the array. Writes only while `array.keeper` is there. */
  submit(io: Io): void;
  /** Where a read of this range that begins now would be served from, without asking a member: at most `countMax` runs. */
  runs(offset: number, length: number, countMax: number): readonly Run[];
  /**
   * Looks at one piece of sync space and does with it what `way` says, under locks that keep writes out. Resolves with
   * the number of bytes that did not match. Rejects where it cannot be read or written.
   */
  syncSlice(start: number, end: number, way: SyncWay): Promise<number>;
  /**
   * Writes one piece of member space of every member that is being rebuilt, under locks that keep writes out. Rejects
   * where it cannot be had from the others, or cannot be written.
   */
  recoverSlice(start: number, end: number): Promise<void>;
  /** The sync space that a piece of a member's data belongs to. */
  syncRangesOf(member: Member, start: number, end: number): readonly ByteRange[];
}

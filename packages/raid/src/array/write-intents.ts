import {
  BITMAP_HEAD_LENGTH,
  BitmapState,
  bitCount,
  clearBit,
  encodeBitmapHead,
  hasBit,
  setBit,
} from "../metadata/bitmap.ts";
import type { BitmapHead } from "../metadata/bitmap.ts";
import type { MemberBitmap } from "../metadata/member-scan.ts";
import type { Superblock } from "../metadata/superblock.ts";
import { isStale } from "./unsynced-ranges.ts";
import type { ByteRange } from "./unsynced-ranges.ts";

/** Bits are kept and written in blocks of so many bytes. */
export const INTENT_BLOCK = 4096;
// Counters are made for so many bits together, where one of them is written.
const PAGE_BITS = 1024;

/**
 * The write-intent bitmap at work, as md keeps it: a bit is set on the members before the first write to its range, and
 * cleared two rounds of `age` after the last one has ended, unless a member missed something there: then it stays until
 * the range was synced. This is the memory side: who writes it where, and when, is the keeper's.
 */
export class WriteIntents {
  #head: BitmapHead;
  /** As they are, or are about to be, on the members. */
  readonly #bits: Uint8Array;
  readonly #chunkSize: number;
  readonly #bitCount: number;
  /** Something is amiss there: to be synced before the bit may go. */
  #needed: Uint8Array;
  /** Is being synced now; null: nothing is. */
  #syncing: Uint8Array | null = null;
  /** Has not been written for one round. */
  readonly #aged: Uint8Array;
  /** Writes under way, by page of bits and bit. */
  readonly #counts: (Uint32Array | null)[];
  /** By page of bits: something there may be cleared in a round to come. */
  readonly #pending: Uint8Array;
  #hasPending = false;
  /** Bits may be cleared of what a member missed that left before the event up to which the head says that none did. */
  #isReachOpen = true;
  /** Blocks that differ from what the members hold. */
  readonly #changed = new Set<number>();
  /** Set here, and not known to be on the members yet: no write may begin there. */
  readonly #unwritten = new Set<number>();

  /** `needed`: ranges that are to be synced before their bits may go; null: all that is marked. */
  constructor({ head, bits }: MemberBitmap, needed: readonly ByteRange[] | null) {
    this.#head = head;
    this.#bits = bits;
    this.#chunkSize = head.chunkSize;
    this.#bitCount = bitCount(head);
    // mdadm sets the rest of the last byte, too, in a new bitmap.
    for (let index = this.#bitCount; index < bits.length * 8; index++) clearBit(bits, index);
    this.#aged = new Uint8Array(bits.length);
    const pages = Math.ceil(this.#bitCount / PAGE_BITS);
    this.#counts = new Array<Uint32Array | null>(pages).fill(null);
    this.#pending = new Uint8Array(pages).fill(1);
    this.#hasPending = true;
    this.#needed = new Uint8Array(bits.length);
    if (needed === null) this.#needed.set(bits);
    else for (const range of needed) this.mark(range.start, range.end);
    // What the members hold is only known after it was written once: each has a copy of its own.
    this.changeAll();
  }

  get head(): BitmapHead {
    return this.#head;
  }

  /** Bytes of head and bits. */
  get length(): number {
    return BITMAP_HEAD_LENGTH + this.#bits.length;
  }

  /** True while bits are set that a later round may clear. */
  get hasPending(): boolean {
    return this.#hasPending;
  }

  /** True while bits may go of what was missed before the event that the head names: it must be raised before they do. */
  get isReachOpen(): boolean {
    return this.#isReachOpen;
  }

  /** A write begins where all bits are on the members: true. False: they must be set first. */
  tryStart(start: number, end: number): boolean {
    const first = Math.floor(start / this.#chunkSize);
    const last = Math.floor((end - 1) / this.#chunkSize);
    for (let index = first; index <= last; index++) if (!hasBit(this.#bits, index)) return false;
    if (this.#unwritten.size > 0)
      for (let index = first; index <= last; index++) if (this.#unwritten.has(index)) return false;
    for (let index = first; index <= last; index++) this.#begin(index);
    return true;
  }

  /** Sets the bits of a range that is about to be written. */
  set(start: number, end: number): void {
    const last = Math.floor((end - 1) / this.#chunkSize);
    for (let index = Math.floor(start / this.#chunkSize); index <= last; index++) {
      clearBit(this.#aged, index);
      if (hasBit(this.#bits, index)) continue;
      setBit(this.#bits, index);
      this.#changed.add(blockOf(index));
      this.#unwritten.add(index);
    }
  }

  /** All bits that were set are on the members now, and the members that did not take them are known to have failed. */
  written(): void {
    this.#unwritten.clear();
  }

  /** A write that was begun has ended. `isComplete`: all members hold it, and none is missing. */
  end(start: number, end: number, isComplete: boolean): void {
    const last = Math.floor((end - 1) / this.#chunkSize);
    for (let index = Math.floor(start / this.#chunkSize); index <= last; index++) {
      this.#counts[Math.floor(index / PAGE_BITS)]![index % PAGE_BITS]!--;
      if (!isComplete) setBit(this.#needed, index);
      this.#pending[Math.floor(index / PAGE_BITS)] = 1;
    }
    this.#hasPending = true;
  }

  /** A range differs, or may: its bits are set, and stay until it is synced. */
  mark(start: number, end: number): void {
    this.set(start, end);
    const last = Math.floor((end - 1) / this.#chunkSize);
    for (let index = Math.floor(start / this.#chunkSize); index <= last; index++) setBit(this.#needed, index);
  }

  /** Everything that is marked stays so until it is synced. */
  needAll(): void {
    this.#needed.set(this.#bits);
  }

  /** True where any bit of a range is set. */
  isMarked(start: number, end: number): boolean {
    const last = Math.min(this.#bitCount - 1, Math.floor((end - 1) / this.#chunkSize));
    for (let index = Math.floor(start / this.#chunkSize); index <= last; index++)
      if (hasBit(this.#bits, index)) return true;
    return false;
  }

  /** A sync of all that is needed begins. What is missed from here on is needed by the next. */
  beginSync(): void {
    this.endSync(null);
    this.#isReachOpen = true;
    this.#syncing = this.#needed;
    this.#needed = new Uint8Array(this.#bits.length);
  }

  /** So much of sync space is in order: what the sync that was begun was for is done below it. */
  syncedTo(position: number): void {
    if (this.#syncing === null) return;
    this.#syncing.fill(0, 0, Math.floor(position / this.#chunkSize / 8));
    this.#pendingAll();
  }

  /** The sync has ended; what is left of it is still needed. Null: all that it has not come to. */
  endSync(left: readonly ByteRange[] | null): void {
    const syncing = this.#syncing;
    if (syncing === null) return;
    this.#syncing = null;
    if (left === null) for (let at = 0; at < syncing.length; at++) this.#needed[at]! |= syncing[at]!;
    else for (const { start, end } of left) this.mark(start, end);
    this.#pendingAll();
  }

  /** All members hold everything up to this event: those that left later can be brought back by the bits. */
  cleared(eventCount: bigint): void {
    this.#isReachOpen = false;
    if (this.#head.clearedEventCount >= eventCount) return;
    this.#head = { ...this.#head, clearedEventCount: eventCount };
    this.#changed.add(0);
  }

  /** The superblocks are about to have this event count. */
  setEventCount(eventCount: bigint): void {
    this.#head = { ...this.#head, eventCount, state: this.#head.state & ~BitmapState.stale };
    this.#changed.add(0);
  }

  /** One round: clears the bits that have aged, ages those that are at rest. `isHasty`: all at rest are cleared at once. */
  age(isHasty: boolean): void {
    this.#hasPending = false;
    for (let page = 0; page < this.#pending.length; page++) {
      if (this.#pending[page] === 0) continue;
      this.#pending[page] = this.#agePage(page, isHasty) ? 1 : 0;
      if (this.#pending[page] !== 0) this.#hasPending = true;
    }
  }

  /** The blocks that are to be written, which from now on count as written. */
  takeChanged(): number[] {
    const blocks = [...this.#changed].sort((a, b) => a - b);
    this.#changed.clear();
    return blocks;
  }

  get hasChanged(): boolean {
    return this.#changed.size > 0;
  }

  /** What the members hold is not known: all of it is to be written. */
  changeAll(): void {
    for (let at = 0; at < this.length; at += INTENT_BLOCK) this.#changed.add(at / INTENT_BLOCK);
  }

  /** Bytes of one block, counted from the head on; the last is shorter. */
  block(index: number): Uint8Array {
    const start = index * INTENT_BLOCK;
    const bytes = new Uint8Array(Math.min(INTENT_BLOCK, this.length - start));
    if (start === 0) bytes.set(encodeBitmapHead(this.#head).subarray(0, bytes.length));
    const from = Math.max(0, start - BITMAP_HEAD_LENGTH);
    const to = start + bytes.length - BITMAP_HEAD_LENGTH;
    bytes.set(this.#bits.subarray(from, to), from + BITMAP_HEAD_LENGTH - start);
    return bytes;
  }

  /** The bits of a bitmap of another size, what is new all set. */
  grownBits(head: BitmapHead): Uint8Array {
    const count = bitCount(head);
    const bits = new Uint8Array(Math.ceil(count / 8));
    bits.set(this.#bits.subarray(0, bits.length));
    for (let index = this.#bitCount; index < count; index++) setBit(bits, index);
    return bits;
  }

  /** How many bits are set. */
  markedCount(): number {
    let count = 0;
    for (let index = 0; index < this.#bitCount; index++) if (hasBit(this.#bits, index)) count++;
    return count;
  }

  #begin(index: number): void {
    const page = Math.floor(index / PAGE_BITS);
    const counts = (this.#counts[page] ??= new Uint32Array(PAGE_BITS));
    counts[index % PAGE_BITS]!++;
    clearBit(this.#aged, index);
  }

  #agePage(page: number, isHasty: boolean): boolean {
    const counts = this.#counts[page] ?? null;
    const last = Math.min(this.#bitCount, (page + 1) * PAGE_BITS);
    let isActive = false;
    let isPending = false;
    for (let index = page * PAGE_BITS; index < last; index++) {
      // Most bytes of a bitmap are zero.
      if ((index & 7) === 0 && this.#bits[index >>> 3] === 0) {
        index += 7;
        continue;
      }
      if (!hasBit(this.#bits, index)) continue;
      if (counts !== null && counts[index % PAGE_BITS]! > 0) isActive = true;
      else if (!hasBit(this.#needed, index) && !(this.#syncing !== null && hasBit(this.#syncing, index))) {
        if (isHasty || hasBit(this.#aged, index)) {
          clearBit(this.#bits, index);
          clearBit(this.#aged, index);
          this.#changed.add(blockOf(index));
        } else {
          setBit(this.#aged, index);
          isPending = true;
        }
      }
    }
    if (!isActive && !isPending) this.#counts[page] = null;
    return isPending;
  }

  #pendingAll(): void {
    this.#pending.fill(1);
    this.#hasPending = true;
  }
}

function blockOf(index: number): number {
  return Math.floor((BITMAP_HEAD_LENGTH + (index >>> 3)) / INTENT_BLOCK);
}

/**
 * The bitmap of an array as it was read. One that missed something marks nothing for certain, so all of it counts as
 * marked; with a member missing all that is marked must stay, else what is not in sync.
 */
export function intentsOf(
  bitmap: MemberBitmap,
  superblock: Superblock,
  { lostCount, unsynced }: { readonly lostCount: number; readonly unsynced: readonly ByteRange[] },
): WriteIntents {
  const { head, bits } = bitmap;
  if (isStale(bitmap, superblock)) for (let index = 0; index < bitCount(head); index++) setBit(bits, index);
  return new WriteIntents(bitmap, lostCount > 0 ? null : unsynced);
}

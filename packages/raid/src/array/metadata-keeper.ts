import { CevError, Op, isCevError, request, writeBytes } from "@cev/core";
import type { Action, Layer, Problem } from "@cev/core";
import { BITMAP_HEAD_LENGTH, encodeBitmapHead, hasBit, setBit } from "../metadata/bitmap.ts";
import type { BitmapHead } from "../metadata/bitmap.ts";
import type { MemberBitmap } from "../metadata/member-scan.ts";
import type { Member } from "./member.ts";
import type { RunningArray } from "./running-array.ts";
import { FeatureFlag } from "../metadata/superblock-features.ts";
import { Role, encodeSuperblock } from "../metadata/superblock.ts";
import type { Superblock } from "../metadata/superblock.ts";
import { isStale } from "./unsynced-ranges.ts";

const SECTOR = 512;

/** Who waits for metadata to be on the members; `error` is null once it is. */
interface Waiter {
  readonly run: Action<CevError | null, unknown>;
  readonly context: unknown;
}

interface Preparation extends Waiter {
  /** Bytes of the members' data. */
  readonly start: number;
  readonly end: number;
}

/** What a `MetadataKeeper` is made of. */
export interface MetadataKeeperOptions {
  readonly array: RunningArray;
  /** The newest superblock. */
  readonly superblock: Superblock;
  readonly bitmap: MemberBitmap | null;
  readonly report: (problem: Problem) => void;
}

/**
 * Keeps superblocks and bitmap of an array that may be written, in md's order: the array is marked dirty and the bits
 * are set before the first write, failed members are recorded before a write that they missed is acknowledged, and
 * the array is marked clean on close. The bitmap is written before the superblocks, so that it is never older.
 */
export class MetadataKeeper {
  readonly #array: RunningArray;
  readonly #report: (problem: Problem) => void;
  /** Entries in the table of roles. */
  readonly #roleCount: number;
  #bitmap: MemberBitmap | null;
  #eventCount: bigint;
  // The superblocks say so, and with an event count of this session: a member that is not here has fallen behind.
  #isDirty = false;
  // A member has failed since the update under way, if any, was begun.
  #hasNewFailure = false;
  #isSettled = true;
  // Writes that were begun and have not ended.
  #writeCount = 0;
  #preparations: Preparation[] = [];
  #settlers: Waiter[] = [];
  #work: Promise<void> | null = null;

  constructor(options: MetadataKeeperOptions) {
    this.#array = options.array;
    this.#report = options.report;
    const { array, superblock, bitmap } = options;
    const devices = array.members.flatMap(({ device }) => (device === null ? [] : [device.superblock]));
    this.#roleCount = Math.max(...devices.map(({ roles }) => roles.length));
    this.#bitmap = bitmap;
    // A bitmap that missed something marks nothing for certain, so all of it counts as marked.
    if (bitmap !== null && isStale(bitmap, superblock)) bitmap.bits.fill(0xff);
    this.#eventCount = superblock.eventCount;
  }

  /**
   * Begins a write to a range of sync space. True when it may go on at once: the superblocks say dirty and the bitmap's
   * bits are on the members. False: `startWrite` instead.
   */
  tryStartWrite(start: number, end: number): boolean {
    if (!this.#isDirty || this.#work !== null || !this.#isMarked(start, end)) return false;
    this.#writeCount++;
    return true;
  }

  /** A write that was begun has ended. `isComplete`: every member holds it, or has been failed. */
  endWrite(_start: number, _end: number, _isComplete: boolean): void {
    this.#writeCount--;
  }

  /**
   * Makes the metadata ready for a write there, then calls back: with an error where that cannot be. Without one the
   * write has begun, and `endWrite` must follow.
   */
  startWrite<C>(start: number, end: number, run: Action<CevError | null, C>, context: C): void {
    this.#preparations.push({ start, end, run: run as Action<CevError | null, unknown>, context });
    this.#start();
  }

  /** True while superblocks wait to be updated: nothing that missed a member may be acknowledged. */
  get isUpdating(): boolean {
    return !this.#isSettled;
  }

  /** Calls back when the failures so far are on the members, or cannot be. */
  whenSettled<C>(run: Action<CevError | null, C>, context: C): void {
    this.#settlers.push({ run: run as Action<CevError | null, unknown>, context });
    this.#start();
  }

  /** A member was failed: the superblocks of the others must say so, unless nothing more may be written. */
  memberFailed(member: Member, cause: CevError): void {
    const { isBroken } = this.#array;
    const failed = `active device ${member.index} (${member.name}) has failed: ${cause.message}`;
    this.#report({
      severity: isBroken ? "error" : "warning",
      code: "CEV_DEGRADED",
      message: isBroken
        ? `${failed}; another is missing already, so the array takes no more writes: save what can be read`
        : `${failed}; replace it`,
      device: member.name,
    });
    this.#hasNewFailure = true;
    this.#isSettled = false;
    this.#start();
  }

  /** Marks the array dirty, before a resync. */
  begin(): Promise<void> {
    return this.#alone(() => this.#update(true));
  }

  /**
   * Everything is in place: flushes the members and marks the array clean. With all members there the bitmap is
   * cleared; with one missing it keeps what that one missed.
   */
  end(): Promise<void> {
    return this.#alone(async () => {
      if (!this.#isDirty || this.#array.isBroken) return;
      await this.#flushMembers();
      if (this.#bitmap !== null && this.#array.lostCount === 0) {
        const { head, bits } = this.#bitmap;
        bits.fill(0);
        this.#bitmap = { head: { ...head, clearedEventCount: this.#eventCount, state: 0 }, bits };
      }
      await this.#update(false);
    });
  }

  #isMarked(start: number, end: number): boolean {
    const bitmap = this.#bitmap;
    if (bitmap === null) return true;
    const { chunkSize } = bitmap.head;
    for (let index = Math.floor(start / chunkSize); index * chunkSize < end; index++)
      if (!hasBit(bitmap.bits, index)) return false;
    return true;
  }

  /** Runs when no other work is under way, and keeps other work from starting meanwhile. */
  async #alone(run: () => Promise<void>): Promise<void> {
    while (this.#work !== null) await this.#work;
    const work = run();
    this.#work = work
      .catch(() => undefined)
      .then(() => {
        this.#work = null;
        if (this.#hasNewFailure || this.#settlers.length > 0) this.#start();
      });
    await this.#work;
    await work;
  }

  #start(): void {
    this.#work ??= this.#workOff();
  }

  /** One round after another until nobody waits any more. */
  async #workOff(): Promise<void> {
    // The caller of `prepare` has not returned yet: it must not be called back before.
    await Promise.resolve();
    for (;;) {
      const preparations = this.#preparations;
      const settlers = this.#settlers;
      this.#preparations = [];
      this.#settlers = [];
      const error = await this.#round(preparations).then(() => null, worldError);
      if (error !== null) this.#hasNewFailure = false;
      const isLast = this.#preparations.length === 0 && this.#settlers.length === 0 && !this.#hasNewFailure;
      // Those called back may ask again at once: that starts the work anew.
      if (isLast) this.#work = null;
      if (error === null) this.#writeCount += preparations.length;
      for (const waiter of preparations) waiter.run(error, waiter.context);
      for (const waiter of settlers) waiter.run(error, waiter.context);
      if (isLast) return;
    }
  }

  async #round(preparations: readonly Preparation[]): Promise<void> {
    if (this.#hasNewFailure || (!this.#isDirty && preparations.length > 0)) {
      await this.#update(this.#isDirty || preparations.length > 0);
    }
    if (this.#bitmap === null) return;
    const { bits, head } = this.#bitmap;
    const changed = new Set<number>();
    for (const { start, end } of preparations) {
      for (let index = Math.floor(start / head.chunkSize); index * head.chunkSize < end; index++) {
        if (hasBit(bits, index)) continue;
        setBit(bits, index);
        changed.add(BITMAP_HEAD_LENGTH + (index >>> 3));
      }
    }
    if (changed.size > 0) await this.#writeBitmap(changed);
    // A member that did not take the bits has failed: the others must say so before anything is written.
    if (this.#hasNewFailure) await this.#update(true);
  }

  /** Writes bitmap and superblocks with the next event count, again as long as that makes another member fail. */
  async #update(isDirty: boolean): Promise<void> {
    do {
      this.#hasNewFailure = false;
      if (this.#array.isBroken) throw this.#brokenError();
      this.#eventCount++;
      if (this.#bitmap !== null) {
        const { head, bits } = this.#bitmap;
        this.#bitmap = { head: { ...head, eventCount: this.#eventCount }, bits };
        await this.#writeBitmap(null);
      }
      if (this.#array.isBroken) throw this.#brokenError();
      await this.#eachMember((member, layer) => {
        const bytes = padTo(
          encodeSuperblock(this.#superblockOf(member, isDirty)),
          layer.limits.logicalBlockSize,
        );
        return writeBytes(
          layer,
          this.#array.environment,
          superblockStart(member),
          bytes,
          canBeDurable(layer),
        );
      });
      this.#isDirty = isDirty;
    } while (this.#hasNewFailure);
    this.#isSettled = true;
  }

  #superblockOf(member: Member, isDirty: boolean): Superblock {
    const own = member.device!.superblock;
    const { wallClock } = this.#array.environment;
    const roles = new Array<number>(this.#roleCount).fill(Role.spare);
    for (const other of this.#array.members) {
      if (other.device === null) continue;
      roles[other.device.superblock.deviceNumber] = other.isInSync ? other.index : Role.faulty;
    }
    return {
      ...own,
      features:
        this.#bitmap === null ? own.features & ~FeatureFlag.bitmap : own.features | FeatureFlag.bitmap,
      updatedAt:
        wallClock === null ? own.updatedAt : { seconds: Math.floor(wallClock.now() / 1000), microseconds: 0 },
      eventCount: this.#eventCount,
      resyncSectors: isDirty ? 0 : null,
      roles,
    };
  }

  /** Writes the blocks of the bitmap that hold these bytes (counted from its head), or all of it. */
  #writeBitmap(changed: ReadonlySet<number> | null): Promise<void> {
    const { head, bits } = this.#bitmap!;
    const length = BITMAP_HEAD_LENGTH + bits.length;
    return this.#eachMember(async (member, layer) => {
      const { environment } = this.#array;
      const { logicalBlockSize } = layer.limits;
      const start = bitmapStart(member);
      const isDurable = canBeDurable(layer);
      const blocks = new Set(changed === null ? [0] : [...changed].map((at) => at - (at % logicalBlockSize)));
      for (const at of blocks) {
        const end = changed === null ? length : Math.min(length, at + logicalBlockSize);
        const bytes = padTo(bitmapBytes(head, bits, at, end), logicalBlockSize);
        await writeBytes(layer, environment, start + at, bytes, isDurable);
      }
    });
  }

  async #flushMembers(): Promise<void> {
    await this.#eachMember(async (_member, layer) => {
      if (layer.support.flush !== "none") await request(layer, this.#array.environment, Op.flush, 0, 0);
    });
    if (this.#hasNewFailure) await this.#update(true);
  }

  /** Does something with all members that are in sync, at once; those where it fails are failed. */
  async #eachMember(run: (member: Member, layer: Layer) => Promise<void>): Promise<void> {
    const members = this.#array.members.filter((member) => member.isInSync);
    const outcomes = await Promise.allSettled(members.map((member) => run(member, member.device!.layer)));
    outcomes.forEach((outcome, index) => {
      if (outcome.status === "rejected") this.#array.failMember(members[index]!, worldError(outcome.reason));
    });
  }

  #brokenError(): CevError {
    return new CevError("CEV_DEGRADED", "two members or more are gone: nothing more is written", {
      layer: this.#array.name,
      hint: "open the array again with at most one member missing",
    });
  }
}

function superblockStart(member: Member): number {
  return member.device!.superblock.superOffsetSectors * SECTOR;
}

function bitmapStart(member: Member): number {
  const { superOffsetSectors, bitmapOffsetSectors } = member.device!.superblock;
  return (superOffsetSectors + bitmapOffsetSectors) * SECTOR;
}

/** A part of a bitmap, counted from its head on. */
function bitmapBytes(head: BitmapHead, bits: Uint8Array, start: number, end: number): Uint8Array {
  const bytes = new Uint8Array(end - start);
  if (start < BITMAP_HEAD_LENGTH) bytes.set(encodeBitmapHead(head).subarray(start, end));
  const from = Math.max(0, start - BITMAP_HEAD_LENGTH);
  bytes.set(bits.subarray(from, end - BITMAP_HEAD_LENGTH), from + BITMAP_HEAD_LENGTH - start);
  return bytes;
}

function padTo(bytes: Uint8Array, blockSize: number): Uint8Array {
  const padded = new Uint8Array(Math.ceil(bytes.length / blockSize) * blockSize);
  padded.set(bytes);
  return padded;
}

/** Nothing can be asked of a device without flush and FUA. */
function canBeDurable(layer: Layer): boolean {
  return layer.support.fua !== "none" || layer.support.flush !== "none";
}

function worldError(error: unknown): CevError {
  if (isCevError(error)) return error;
  return new CevError("CEV_PROGRAM", `keeping the metadata threw: ${String(error)}`, { cause: error });
}

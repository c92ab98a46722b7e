import type { Action, CevError, Problem, Timer } from "@cev/core";
import type { MemberBitmap } from "../metadata/member-scan.ts";
import type { Superblock } from "../metadata/superblock.ts";
import { brokenError, memberFailure, spareFailure } from "./failure-report.ts";
import type { Member, MemberDevice } from "./member.ts";
import type { MetadataKeeperOptions } from "./metadata-keeper-options.ts";
import { MetadataRounds } from "./metadata-rounds.ts";
import type { Preparation } from "./metadata-rounds.ts";
import { MetadataWriter } from "./metadata-writer.ts";
import type { RunningArray } from "./running-array.ts";
import {
  isBehind,
  positionsOf,
  resyncSectorsOf,
  timestampOf,
  updatedSuperblocks,
} from "./superblock-update.ts";
import { intentsOf } from "./write-intents.ts";
import type { WriteIntents } from "./write-intents.ts";

// As long as md waits after the last write before it marks an array clean.
const SAFE_MODE_DELAY_MS = 200;

/**
 * Keeps superblocks and bitmap of an array that may be written, in md's order: the array is marked dirty and the bits
 * are set before the first write, failed members are recorded before a write that they missed is acknowledged, bits are
 * cleared some time after the last write to their range, and the array is marked clean when nothing has been written for
 * a moment. The bitmap is written before the superblocks, so that it is never older.
 */
export class MetadataKeeper {
  readonly #array: RunningArray;
  readonly #report: (problem: Problem) => void;
  readonly #writer: MetadataWriter;
  #base: Superblock;
  #intents: WriteIntents | null;
  #eventCount: bigint;
  /** The superblocks say that writes may be under way, with an event count of this session. */
  #isActive = false;
  /** There is something that can differ between the members. */
  readonly #isRedundant: boolean;
  // A member has failed since the update under way, if any, was begun.
  #hasNewFailure = false;
  #isSettled = true;
  // The members hold more than they were asked to make durable, and the next superblocks rely on it.
  #hasProgress = false;
  // Something was written since `start`.
  #isTouched = false;
  // The bitmap's head does not yet say that all members hold everything up to this event.
  #isClearedBehind = true;
  // Writes that were begun and have not ended, and all that ever were.
  #writeCount = 0;
  #writeSerial = 0;
  readonly #rounds: MetadataRounds;
  #isEnded = true;
  // Somebody who is away may hold an update that none of those here got, as the power went.
  #mayLag: boolean;
  // All members have the event count that the newest had when the array was opened.
  #isLevelled = false;
  #idleTimer: Timer | null = null;
  #ageTimer: Timer | null = null;

  constructor(options: MetadataKeeperOptions) {
    const { array, superblock, bitmap } = options;
    this.#array = array;
    this.#report = options.report;
    this.#writer = new MetadataWriter(array);
    this.#rounds = new MetadataRounds({
      round: (preparations) => this.#round(preparations),
      begin: (start, end) => this.#begin(start, end),
      hasMore: () => this.#hasNewFailure,
      giveUp: () => void (this.#hasNewFailure = false),
    });
    this.#base = superblock;
    this.#eventCount = superblock.eventCount;
    this.#isRedundant = array.level.isRedundant;
    this.#mayLag = array.members.some(({ device }) => device === null);
    this.#intents = bitmap === null || !this.#isRedundant ? null : intentsOf(bitmap, superblock, array);
  }

  /** Of the superblocks, as they were written last. */
  get eventCount(): bigint {
    return this.#eventCount;
  }

  /** What the superblocks have in common, apart from what changes with every update. */
  get base(): Superblock {
    return this.#base;
  }

  get intents(): WriteIntents | null {
    return this.#intents;
  }

  /** The superblocks say that writes may be under way. */
  get isActive(): boolean {
    return this.#isActive;
  }

  /**
   * Before the first write of a session: members whose superblock missed the last update get it now, with its event count.
   * Otherwise the next update, if it is cut short too, would leave them two behind. Nor may what somebody who is away says of
   * them hold any longer.
   */
  async start(): Promise<void> {
    this.#isEnded = false;
    this.#isTouched = false;
    if (this.#isLevelled || !this.#isRedundant) return;
    this.#isLevelled = true;
    const { resyncSectors } = this.#base;
    const isLate = isBehind(this.#array, this.#base);
    // Where it was not marked clean, and nothing is left to sync, that is said now.
    const isDone = resyncSectors !== null && this.#array.unsynced.length === 0;
    if (!isLate && !isDone) return;
    await this.#rounds.alone(async () => {
      if (isLate) {
        await this.#writeIntents();
        this.#mayLag = true;
        await this.#writer.writeSuperblocks(this.#superblocks(positionsOf(this.#array), resyncSectors));
      }
      await this.#update(false);
      this.#refuseBroken();
    });
  }

  /**
   * Begins a write to a range of sync space. True when it may go on at once: the superblocks say dirty and the bitmap's
   * bits are on the members. False: `startWrite` instead.
   */
  tryStartWrite(start: number, end: number): boolean {
    if (!this.#isActive && this.#isRedundant) return false;
    if (this.#intents !== null && !this.#intents.tryStart(start, end)) return false;
    this.#writeCount++;
    this.#writeSerial++;
    return true;
  }

  /**
   * A write that was begun has ended. `isComplete`: every member holds it, or has been failed. Until a range that was
   * not written completely is synced, its bit stays.
   */
  endWrite(start: number, end: number, isComplete: boolean): void {
    this.#writeCount--;
    if (this.#intents === null) return;
    const isWhole = isComplete && this.#array.lostCount === 0;
    this.#intents.end(start, end, isWhole);
    if (isWhole && this.#isClearedBehind) this.#noteCleared();
    if (this.#ageTimer === null) this.#armAging();
  }

  /**
   * Makes the metadata ready for a write there, then calls back: with an error where that cannot be. Without one the
   * write has begun, and `endWrite` must follow.
   */
  startWrite<C>(start: number, end: number, run: Action<CevError | null, C>, context: C): void {
    this.#rounds.prepare(start, end, run, context);
  }

  /** True while superblocks wait to be updated: nothing that missed a member may be acknowledged. */
  get isUpdating(): boolean {
    return !this.#isSettled;
  }

  /** Calls back when the failures so far are on the members, or cannot be. */
  whenSettled<C>(run: Action<CevError | null, C>, context: C): void {
    this.#rounds.settle(run, context);
  }

  /** A member was failed: the superblocks of the others must say so, unless nothing more may be written. */
  memberFailed(member: Member, cause: CevError): void {
    this.#report(memberFailure(member, cause, this.#array.isBroken));
    this.#intents?.needAll();
    this.#failed();
  }

  /** A spare was failed. */
  spareFailed(spare: MemberDevice, cause: CevError): void {
    this.#report(spareFailure(spare, cause));
    this.#failed();
  }

  /** Something was rebuilt or synced: the next update makes it durable, and says so. */
  noteProgress(): void {
    this.#hasProgress = true;
  }

  /** Writes the superblocks as the array is now. */
  update(): Promise<void> {
    return this.#rounds.alone(() => this.#update(this.#isActive));
  }

  /** Before a place is filled anew: who had it becomes plainly older than the others. */
  async leaveBehind(): Promise<void> {
    if (this.#mayLag) await this.update();
  }

  /** Makes durable what the members hold. */
  flush(): Promise<void> {
    return this.#rounds.alone(() => this.#flushMembers());
  }

  /** The array has another shape from now on; the caller lets `update` follow. */
  rebase(changes: Partial<Superblock>, bitmap: MemberBitmap | null = null): void {
    this.#base = { ...this.#base, ...changes };
    if (bitmap !== null) this.#intents = intentsOf(bitmap, this.#base, this.#array);
  }

  /** The bitmap of a member that has just come is not known: all of it is written with the next update. */
  rewriteBitmap(): void {
    this.#intents?.changeAll();
  }

  /**
   * Everything is in place: flushes the members and marks the array clean, or how far a resync has come. With all
   * members there the bitmap is cleared; with one missing it keeps what that one missed. No timer runs afterwards.
   */
  async end(): Promise<void> {
    this.#isEnded = true;
    this.#idleTimer?.cancel();
    this.#ageTimer?.cancel();
    this.#idleTimer = null;
    this.#ageTimer = null;
    await this.#rounds.alone(async () => {
      if (this.#array.isBroken || !(this.#isTouched || this.#hasProgress)) return;
      await this.#markClean();
    });
  }

  #failed(): void {
    this.#hasNewFailure = true;
    this.#isSettled = false;
    this.#rounds.start();
  }

  #armIdle(): void {
    if (this.#isEnded || this.#idleTimer !== null || !this.#isRedundant) return;
    const serial = this.#writeSerial;
    this.#idleTimer = this.#array.environment.clock.after(SAFE_MODE_DELAY_MS, () => {
      this.#idleTimer = null;
      if (!this.#isActive) return;
      if (this.#writeCount > 0 || this.#writeSerial !== serial || this.#rounds.isBusy) this.#armIdle();
      else this.#inBackground(() => this.#markIdle());
    });
  }

  #armAging(): void {
    if (this.#isEnded || this.#ageTimer !== null || !this.#isTouched) return;
    if (this.#intents?.hasPending !== true) return;
    const period = this.#intents.head.daemonSleepSeconds * 1000;
    this.#ageTimer = this.#array.environment.clock.after(period, () => {
      this.#ageTimer = null;
      this.#inBackground(() => this.#age());
    });
  }

  /** For what nobody waits for: that it failed shows in the members it has failed. */
  #inBackground(run: () => Promise<void>): void {
    this.#rounds.alone(run).catch(() => undefined);
  }

  /** Clears bits, after what they stood for is durable on all members. */
  async #age(): Promise<void> {
    const { isBroken, lostCount } = this.#array;
    if (this.#isEnded || isBroken) return;
    if (lostCount === 0) await this.#clearBits(false);
    this.#armAging();
  }

  async #clearBits(isHasty: boolean): Promise<void> {
    await this.#flushMembers();
    await this.#clearInMemory(isHasty);
    await this.#writeIntents();
  }

  /** Bits that go with whatever is written next. */
  async #clearInMemory(isHasty: boolean): Promise<void> {
    this.#noteSynced();
    // How far back members may come from must be known before bits are gone: a cut may leave half of one block.
    await this.#writeIntents();
    // With a member missing, or failed just now, they tell what it misses.
    if (this.#array.lostCount === 0) this.#intents?.age(isHasty);
  }

  /** No member is missing, and nothing that any of them has missed. */
  #noteCleared(): void {
    this.#isClearedBehind = false;
    this.#intents?.cleared(this.#eventCount);
  }

  /** Bits that a rebuild has made clearable tell nothing any more to whoever left before it. */
  #noteSynced(): void {
    if (this.#array.lostCount === 0 && this.#intents?.isReachOpen === true) this.#noteCleared();
  }

  /** Nothing was written for a moment. */
  async #markIdle(): Promise<void> {
    if (this.#isEnded || this.#array.isBroken || !this.#isActive || this.#writeCount > 0) return;
    // From here on a write waits until this is done, and marks it active again.
    this.#isActive = false;
    await this.#flushMembers();
    // dm-raid tells by the bits alone whether an array was in use.
    if (this.#base.version === "dm-raid" && this.#array.lostCount === 0) await this.#clearInMemory(true);
    await this.#update(false);
  }

  /** Nothing more will be written: the bits go at once. */
  async #markClean(): Promise<void> {
    const mustUpdate = this.#isActive || this.#hasProgress;
    this.#isActive = false;
    await this.#flushMembers();
    // Nothing but a flush has come since: one more would tell nothing new.
    this.#hasProgress = false;
    if (this.#array.lostCount === 0 && this.#intents?.hasPending === true) await this.#clearInMemory(true);
    if (mustUpdate) await this.#update(false);
    else await this.#writeIntents();
    // Nobody comes after this who would record that a member did not take it.
    if (this.#hasNewFailure) await this.#update(false);
  }

  #begin(start: number, end: number): void {
    this.#writeCount++;
    this.#writeSerial++;
    this.#intents?.tryStart(start, end);
  }

  async #round(preparations: readonly Preparation[]): Promise<void> {
    const isWriting = preparations.length > 0 && this.#isRedundant;
    if (this.#hasNewFailure || !this.#isSettled || (!this.#isActive && isWriting))
      await this.#update(this.#isActive || isWriting);
    if (this.#intents !== null) {
      for (const { start, end } of preparations) this.#intents.set(start, end);
      await this.#writeIntents();
    }
    // A member that did not take the bits has failed: the others must say so before anything is written.
    if (this.#hasNewFailure) await this.#update(this.#isActive);
    this.#intents?.written();
  }

  /** Writes bitmap and superblocks with the next event count, again as long as that makes another member fail. */
  async #update(isActive: boolean): Promise<void> {
    do {
      this.#hasNewFailure = false;
      this.#refuseBroken();
      // Only what is durable when they are written may stand in the superblocks.
      const recoveredTo = positionsOf(this.#array);
      const resyncSectors = resyncSectorsOf(this.#array, isActive);
      if (this.#hasProgress) {
        this.#hasProgress = false;
        await this.#writer.flush();
        this.#refuseBroken();
      }
      this.#eventCount++;
      this.#isClearedBehind = true;
      this.#intents?.setEventCount(this.#eventCount);
      await this.#writeIntents();
      this.#refuseBroken();
      await this.#writer.writeSuperblocks(this.#superblocks(recoveredTo, resyncSectors));
      this.#isActive = isActive;
      this.#isTouched = true;
      // That one only made all as new as who is away can be, and took no place from anybody. The next is plainly newer.
      if (this.#mayLag) this.#hasNewFailure = true;
      this.#mayLag = false;
    } while (this.#hasNewFailure);
    this.#isSettled = true;
    if (this.#isActive) this.#armIdle();
    this.#armAging();
  }

  #superblocks(
    recoveredTo: ReadonlyMap<MemberDevice, number>,
    resyncSectors: number | null,
  ): ReadonlyMap<MemberDevice, Superblock> {
    return updatedSuperblocks({
      base: this.#base,
      array: this.#array,
      eventCount: this.#eventCount,
      hasBitmap: this.#intents !== null,
      resyncSectors,
      recoveredTo,
      updatedAt: timestampOf(this.#array.environment.wallClock?.now()),
      keepsPlaces: this.#mayLag,
    });
  }

  async #flushMembers(): Promise<void> {
    await this.#writer.flush();
    if (this.#hasNewFailure) await this.#update(this.#isActive);
  }

  async #writeIntents(): Promise<void> {
    const intents = this.#intents;
    if (intents?.hasChanged === true) await this.#writer.writeBitmap(intents, intents.takeChanged());
  }

  #refuseBroken(): void {
    if (this.#array.isBroken) throw brokenError(this.#array.name);
  }
}

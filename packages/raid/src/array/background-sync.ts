import { CevError } from "@cev/core";
import type { Problem } from "@cev/core";
import type { Member } from "./member.ts";
import type { MetadataKeeper } from "./metadata-keeper.ts";
import { hasBadBlockRoom, worldError } from "./metadata-writer.ts";
import type { Personality } from "./personality.ts";
import type { RequestGate } from "./request-gate.ts";
import { PIECE_LENGTH } from "./running-array.ts";
import type { RunningArray } from "./running-array.ts";
import { SpeedLimit } from "./speed-limit.ts";
import type { SpeedLimits } from "./speed-limit.ts";
import { piecesOf, runPass } from "./sync-pass.ts";
import type { ByteRange } from "./unsynced-ranges.ts";

// How far a pass has come is recorded after such a part of it, or such a time.
const CHECKPOINT_PARTS = 16;
const CHECKPOINT_MS = 60_000;

/** What goes on in the background, in md's words. */
export type SyncAction = "idle" | "resync" | "recover" | "check" | "repair";

/** How far background work has come. */
export interface SyncProgress {
  readonly action: SyncAction;
  /** Bytes of sync space; of a member's data for `recover`. */
  readonly done: number;
  readonly total: number;
  /** Of this pass, so far. */
  readonly mismatchedBytes: number;
  /** Of each member, lately. */
  readonly bytesPerSecond: number;
}

/** What a `BackgroundSync` is made of. */
export interface BackgroundSyncOptions {
  readonly array: RunningArray;
  readonly keeper: MetadataKeeper;
  readonly gate: RequestGate;
  /** How the array is served now. */
  readonly personality: () => Personality;
  readonly speedLimit: SpeedLimits;
  readonly report: (problem: Problem) => void;
  readonly onProgress: (progress: SyncProgress) => void;
}

/** Somebody asked for a check or repair. */
interface Wish {
  readonly way: "check" | "repair";
  /** Where it goes on after a pause, and what it has found before. */
  start: number;
  mismatchedBytes: number;
  readonly resolve: (mismatchedBytes: number) => void;
  readonly reject: (error: CevError) => void;
}

/** A pass that is under way. */
interface Pass {
  readonly action: SyncAction;
  readonly total: number;
  done: number;
  mismatchedBytes: number;
  /** Where it was when that was recorded last, and when. */
  recorded: number;
  recordedAt: number;
  recording: Promise<void> | null;
}

/**
 * Keeps the redundancy whole beside ordinary requests, one action at a time and in md's order: spares step in for what
 * is missing and are rebuilt, what was not shut down cleanly is resynced, checks and repairs are done when asked for.
 */
export class BackgroundSync {
  readonly #options: BackgroundSyncOptions;
  readonly #array: RunningArray;
  readonly #keeper: MetadataKeeper;
  readonly #speed: SpeedLimit;
  #loop: Promise<void> | null = null;
  /** There may be something to do that the loop has not seen. */
  #isKicked = false;
  #pass: Pass | null = null;
  #wish: Wish | null = null;
  #isRunning = false;
  #isPaused = false;
  /** The pass under way ends before its next piece. */
  #mustStop = false;
  /** What ended the last pass of its kind: it is not begun again before something has changed. */
  #recoverError: CevError | null = null;
  #resyncError: CevError | null = null;
  #mismatchedBytes: number | null = null;
  #busySerial = 0;
  #resumers: (() => void)[] = [];

  constructor(options: BackgroundSyncOptions) {
    this.#options = options;
    this.#array = options.array;
    this.#keeper = options.keeper;
    this.#speed = new SpeedLimit(options.array.environment.clock, options.speedLimit);
  }

  get action(): SyncAction {
    return this.#pass?.action ?? "idle";
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Null: nothing is under way. */
  get progress(): SyncProgress | null {
    const pass = this.#pass;
    if (pass === null) return null;
    const { action, done, total, mismatchedBytes } = pass;
    return { action, done, total, mismatchedBytes, bytesPerSecond: this.#speed.bytesPerSecond };
  }

  /** What did not match in the last check or repair, in bytes; null: there was none. */
  get mismatchedBytes(): number | null {
    return this.#mismatchedBytes;
  }

  /** The array may be written from now on. */
  start(): void {
    this.#isRunning = true;
    this.changed();
  }

  /** Ends what is under way, as soon as its pieces have ended. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    this.#interrupt();
    await this.#loop;
    this.#refuseWish("the array is closed");
    this.#wakeIdle();
  }

  /** Something is different (a member failed, came or went): what could not be done before is tried again. */
  changed(): void {
    this.#recoverError = null;
    this.#resyncError = null;
    this.#kick();
  }

  /** A member has failed: what is under way no longer fits. */
  memberFailed(): void {
    this.#interrupt();
    this.#kick();
  }

  /** Looks whether all copies and parities fit. Resolves with the number of bytes that do not. */
  request(way: "check" | "repair"): Promise<number> {
    if (this.#wish !== null)
      return Promise.reject(new CevError("CEV_BUSY", `a ${this.#wish.way} is under way already`));
    if (!this.#canSync())
      return Promise.reject(
        new CevError("CEV_DEGRADED", `the array has no redundancy left that a ${way} could look at`, {
          layer: this.#array.name,
          hint: "add the members it lacks first",
        }),
      );
    return new Promise((resolve, reject) => {
      this.#wish = { way, start: 0, mismatchedBytes: 0, resolve, reject };
      this.#kick();
    });
  }

  /** Everything waits, where it is, until `resume`. */
  pause(): void {
    this.#isPaused = true;
    this.#interrupt();
  }

  resume(): void {
    this.#isPaused = false;
    this.changed();
  }

  /** Ends a check or repair that is under way or was asked for; a resync or rebuild goes on when the array is next changed or opened. */
  async cancel(): Promise<void> {
    const { action } = this;
    const error = new CevError("CEV_CANCELLED", `the ${action} was cancelled`, { layer: this.#array.name });
    this.#interrupt();
    this.#refuseWish("it was cancelled");
    if (action === "recover") this.#recoverError = error;
    if (action === "resync") this.#resyncError = error;
    await this.#loop;
  }

  setSpeedLimit(limits: SpeedLimits): void {
    this.#speed.set(limits);
  }

  /** Resolves once nothing is under way nor due. Rejects with what ended the last rebuild or resync, if that was an error. */
  async idle(): Promise<void> {
    while (this.#loop !== null || (this.#isPaused && this.#isRunning)) {
      if (this.#loop !== null) await this.#loop;
      else await new Promise<void>((resolve) => void this.#resumers.push(resolve));
    }
    const error = this.#recoverError ?? this.#resyncError;
    if (error !== null && error.code !== "CEV_CANCELLED") throw error;
  }

  /** Runs a change of the members while no pass is under way. */
  async between<T>(change: () => Promise<T>): Promise<T> {
    const wasRunning = this.#isRunning;
    this.#isRunning = false;
    this.#interrupt();
    await this.#loop;
    try {
      return await change();
    } finally {
      this.#isRunning = wasRunning;
      this.changed();
    }
  }

  #interrupt(): void {
    if (this.#pass !== null) this.#mustStop = true;
  }

  #wakeIdle(): void {
    for (const resume of this.#resumers.splice(0)) resume();
  }

  #refuseWish(why: string): void {
    const wish = this.#wish;
    this.#wish = null;
    wish?.reject(
      new CevError("CEV_CANCELLED", `the ${wish.way} has not ended: ${why}`, { layer: this.#array.name }),
    );
  }

  #kick(): void {
    if (!this.#isRunning || this.#isPaused) return;
    this.#isKicked = true;
    this.#loop ??= this.#work()
      .catch((error: unknown) => this.#report(worldError(error)))
      .finally(() => {
        this.#loop = null;
        if (this.#isKicked) this.#kick();
        this.#wakeIdle();
      });
  }

  async #work(): Promise<void> {
    // Whoever started it has not returned yet.
    await Promise.resolve();
    while (this.#isRunning && !this.#isPaused) {
      this.#mustStop = false;
      this.#isKicked = false;
      if (this.#array.isBroken || !this.#array.level.isRedundant) return;
      await this.#stepIn();
      const action = this.#nextAction();
      if (action === "idle") return;
      if (action === "recover") await this.#recover();
      else if (action === "resync") await this.#resync();
      else await this.#look(action);
    }
  }

  /** Recovery before resync, as md has it; but parity that is in doubt is made right first: a rebuild would believe it. */
  #nextAction(): SyncAction {
    const { members, unsynced, level } = this.#array;
    const canResync = unsynced.length > 0 && this.#resyncError === null && this.#canSync();
    const canRecover = this.#recoverError === null && members.some((member) => member.isRebuilding);
    if (canResync && (level.family === "parity" || !canRecover)) return "resync";
    if (canRecover) return "recover";
    return this.#wish?.way ?? "idle";
  }

  /** Some part of what the members hold is there more than once. */
  #canSync(): boolean {
    const { members, level } = this.#array;
    if (!level.isRedundant) return false;
    return (
      level.family === "mirror" || members.some((member) => member.isInSync && this.#array.canLose(member))
    );
  }

  /** Spares take the places that are empty, or whose devices have failed, lowest first. */
  async #stepIn(): Promise<void> {
    const array = this.#array;
    if (this.#recoverError !== null) return;
    const size = this.#keeper.base.sizeSectors;
    const pairs: (readonly [Member, RunningArray["spares"][number]])[] = [];
    const spares = array.spares.filter(({ superblock }) => superblock.dataSizeSectors >= size);
    for (const member of array.members) {
      if (member.takesWrites) continue;
      const spare = spares.shift();
      if (spare === undefined) break;
      pairs.push([member, spare]);
    }
    if (pairs.length === 0) return;
    await this.#options.gate.quiesce(() => {
      for (const [member, spare] of pairs)
        if (array.spares.includes(spare) && !member.takesWrites) array.fillMember(member, spare, 0, false);
    });
    this.#keeper.rewriteBitmap();
    await this.#keeper.update();
  }

  async #recover(): Promise<void> {
    const array = this.#array;
    const targets = array.members.filter((member) => member.isRebuilding);
    const total = this.#recoverSize();
    const start = Math.min(total, ...targets.map((member) => member.recoveredTo));
    const isByBitmap = this.#keeper.intents !== null && targets.every((one) => one.isByBitmap);
    const { syncStep } = this.#options.personality();
    // Only what is marked is to be copied, not what happens to lie beside it.
    const step = isByBitmap ? Math.min(syncStep, this.#keeper.intents!.head.chunkSize) : syncStep;
    const all = piecesOf([{ start, end: total }], Math.max(step, PIECE_LENGTH));
    const willBeWhole = array.members.every((member) => member.takesWrites) && array.unsynced.length === 0;
    const intents = willBeWhole ? this.#keeper.intents : null;
    const pass = this.#begin("recover", start, total);
    intents?.beginSync();
    let isComplete = false;
    try {
      await this.#keeper.update();
      isComplete = await this.#run(pass, {
        pieces: isByBitmap ? this.#marked(all, targets) : all,
        start,
        work: (piece) => this.#recoverPiece(piece),
        onPosition: (_piece, position) => {
          for (const member of targets)
            if (member.isRebuilding) member.recoveredTo = Math.max(member.recoveredTo, position);
          this.#keeper.noteProgress();
        },
      });
      if (isComplete) await this.#finishRecovery(targets, total);
    } catch (error) {
      this.#failPass("recover", error);
    } finally {
      intents?.endSync(isComplete && array.lostCount === 0 ? [] : null);
      this.#end(pass);
    }
  }

  /** What a rebuilt member holds is durable before the superblocks call it a member. */
  async #finishRecovery(targets: readonly Member[], total: number): Promise<void> {
    for (const member of targets) if (member.isRebuilding) member.recoveredTo = total;
    await this.#keeper.flush();
    for (const member of targets) if (member.isRebuilding) this.#array.memberRecovered(member);
    await this.#keeper.update();
  }

  async #recoverPiece(piece: ByteRange): Promise<number> {
    const personality = this.#options.personality();
    try {
      await personality.recoverSlice(piece.start, piece.end);
      return 0;
    } catch (error) {
      const cause = worldError(error);
      if (!isUnreadable(cause) || !this.#canGoOn()) throw this.#recoverFailure(piece, cause);
    }
    // Page by page: most of it may still be had.
    for (const page of piecesOf([piece], PIECE_LENGTH)) {
      try {
        await personality.recoverSlice(page.start, page.end);
      } catch (error) {
        const cause = worldError(error);
        if (!isUnreadable(cause) || !this.#canGoOn() || !this.#markBad(page))
          throw this.#recoverFailure(page, cause);
      }
    }
    return 0;
  }

  /** A member that failed meanwhile ends the pass in another way. */
  #canGoOn(): boolean {
    return !this.#mustStop && this.#array.members.some((member) => member.isRebuilding);
  }

  /** What cannot be had is not called rebuilt: the log of bad blocks says so, where the members have one. */
  #markBad({ start, end }: ByteRange): boolean {
    const targets = this.#array.members.filter((member) => member.isRebuilding);
    if (!targets.every((member) => hasBadBlockRoom(member, start, end))) return false;
    for (const member of targets) {
      member.addBadBlock(start, end);
      this.#options.report({
        severity: "error",
        code: "CEV_MEDIUM",
        message: `bytes ${start} to ${end} of ${member.name} could not be rebuilt and are marked as bad: they cannot be read until they are written`,
        device: member.name,
      });
    }
    return true;
  }

  #recoverFailure({ start, end }: ByteRange, cause: CevError): CevError {
    const names = this.#array.members.filter((member) => member.isRebuilding).map(({ name }) => name);
    const message = `the rebuild of ${names.join(", ")} stopped: bytes ${start} to ${end} of the members' data cannot be had: ${cause.message}`;
    return new CevError(cause.code === "CEV_CANCELLED" ? "CEV_CANCELLED" : "CEV_DEGRADED", message, {
      layer: this.#array.name,
      offset: start,
      length: end - start,
      cause,
    });
  }

  async #resync(): Promise<void> {
    const array = this.#array;
    const { syncSize, syncStep } = this.#options.personality();
    const ranges = [...array.unsynced];
    const start = ranges[0]!.start;
    const intents = array.lostCount === 0 ? this.#keeper.intents : null;
    const pass = this.#begin("resync", start, syncSize);
    intents?.beginSync();
    const failures: CevError[] = [];
    try {
      // Members that are not here must fall behind.
      await this.#keeper.update();
      const isAtEnd = await this.#run(pass, {
        pieces: piecesOf(ranges, syncStep),
        start,
        work: (piece) => this.#resyncPiece(piece, failures),
        onPosition: (_piece, position) => {
          this.#keeper.noteProgress();
          if (failures.length === 0) intents?.syncedTo(position);
        },
      });
      if (isAtEnd) await this.#keeper.update();
      if (failures.length > 0) throw failures[0]!;
    } catch (error) {
      this.#failPass("resync", error);
    } finally {
      intents?.endSync(array.unsynced);
      this.#end(pass);
    }
  }

  /** What cannot be made right stays unsynced, page by page, and the rest goes on. */
  async #resyncPiece(piece: ByteRange, failures: CevError[]): Promise<number> {
    const personality = this.#options.personality();
    let mismatched = 0;
    try {
      mismatched = await personality.syncSlice(piece.start, piece.end, "resync");
      this.#array.synced(piece.start, piece.end);
      return mismatched;
    } catch (error) {
      const cause = worldError(error);
      if (!isUnreadable(cause) || this.#mustStop) throw cause;
    }
    for (const page of piecesOf([piece], PIECE_LENGTH)) {
      try {
        mismatched += await personality.syncSlice(page.start, page.end, "resync");
        this.#array.synced(page.start, page.end);
      } catch (error) {
        const cause = worldError(error);
        if (!isUnreadable(cause) || this.#mustStop) throw cause;
        failures.push(cause);
      }
    }
    return mismatched;
  }

  async #look(way: "check" | "repair"): Promise<void> {
    const wish = this.#wish!;
    const { syncSize, syncStep } = this.#options.personality();
    const pass = this.#begin(way, wish.start, syncSize);
    pass.mismatchedBytes = wish.mismatchedBytes;
    try {
      const isComplete = await this.#run(pass, {
        pieces: piecesOf([{ start: wish.start, end: syncSize }], syncStep),
        start: wish.start,
        work: (piece) => this.#options.personality().syncSlice(piece.start, piece.end, way),
        onPosition: () => undefined,
      });
      this.#mismatchedBytes = pass.mismatchedBytes;
      wish.start = pass.done;
      wish.mismatchedBytes = pass.mismatchedBytes;
      if (isComplete) {
        this.#wish = null;
        wish.resolve(pass.mismatchedBytes);
      } else if (!this.#isPaused) this.#refuseWish("the members have changed");
    } catch (error) {
      if (this.#wish === wish) this.#wish = null;
      wish.reject(worldError(error));
    } finally {
      this.#end(pass);
    }
  }

  #run(
    pass: Pass,
    how: {
      readonly pieces: Iterator<ByteRange, void, void>;
      readonly start: number;
      readonly work: (piece: ByteRange) => Promise<number>;
      readonly onPosition: (piece: ByteRange, position: number) => void;
    },
  ): Promise<boolean> {
    const { gate, onProgress } = this.#options;
    return runPass({
      environment: this.#array.environment,
      speed: this.#speed,
      pieces: how.pieces,
      start: how.start,
      end: pass.total,
      work: async (piece) => {
        // Several pieces are under way: what they add to is read when they have ended.
        const mismatched = await how.work(piece);
        pass.mismatchedBytes += mismatched;
      },
      mustStop: () => this.#mustStop || this.#array.isBroken,
      isBusy: () => {
        const { serial } = gate;
        const isBusy = serial !== this.#busySerial;
        this.#busySerial = serial;
        return isBusy;
      },
      onDone: (piece, position) => {
        how.onPosition(piece, position);
        pass.done = position;
        this.#checkpoint(pass);
        onProgress(this.progress!);
      },
    });
  }

  #begin(action: SyncAction, start: number, total: number): Pass {
    this.#speed.restart();
    const recordedAt = this.#array.environment.clock.now();
    const pass: Pass = {
      action,
      total,
      done: start,
      mismatchedBytes: 0,
      recorded: start,
      recordedAt,
      recording: null,
    };
    this.#pass = pass;
    return pass;
  }

  #end(pass: Pass): void {
    const progress = this.progress!;
    this.#pass = null;
    this.#options.onProgress({ ...progress, action: "idle", done: pass.done });
  }

  /** Records now and then how far a rebuild or resync has come, so that it goes on there after a restart. */
  #checkpoint(pass: Pass): void {
    if (pass.recording !== null || (pass.action !== "recover" && pass.action !== "resync")) return;
    const now = this.#array.environment.clock.now();
    const isFar = pass.done - pass.recorded > pass.total / CHECKPOINT_PARTS;
    const isLate = now - pass.recordedAt > CHECKPOINT_MS;
    if (pass.done === pass.recorded || !(isFar || isLate)) return;
    pass.recorded = pass.done;
    pass.recordedAt = now;
    // That it fails shows in the members.
    pass.recording = this.#keeper
      .update()
      .catch(() => undefined)
      .finally(() => void (pass.recording = null));
  }

  #failPass(action: "recover" | "resync", error: unknown): void {
    const cause = worldError(error);
    // The members are others than when it began: it is tried again with those.
    if (this.#mustStop) return;
    if (action === "recover") this.#recoverError = cause;
    else this.#resyncError = cause;
    this.#report(cause);
  }

  #report(cause: CevError): void {
    this.#options.report({ severity: "error", code: cause.code, message: cause.message });
  }

  /** Of the pieces of the members' data those of which the bitmap marks something on any of these members. */
  *#marked(pieces: Iterable<ByteRange>, members: readonly Member[]): Generator<ByteRange, void, void> {
    for (const piece of pieces) {
      const personality = this.#options.personality();
      // In RAID10 the same place holds another part of the array on each member.
      const ranges = members.flatMap((member) => personality.syncRangesOf(member, piece.start, piece.end));
      const { intents } = this.#keeper;
      if (intents === null || ranges.some(({ start, end }) => intents.isMarked(start, end))) yield piece;
    }
  }

  /** Bytes of each member that are rebuilt. */
  #recoverSize(): number {
    const { level, geometry } = this.#array;
    return level.number === 10 ? geometry.memberSizes[0]! : this.#options.personality().syncSize;
  }
}

/** The sources cannot be read there; anything else says nothing about the place. */
function isUnreadable({ code }: CevError): boolean {
  return code === "CEV_DEGRADED" || code === "CEV_MEDIUM" || code === "CEV_IO" || code === "CEV_TIMED_OUT";
}

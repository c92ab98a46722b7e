import { CevError } from "@cev/core";
import type { Member, MemberDevice } from "./member.ts";
import { worldError } from "./metadata-writer.ts";
import { recover } from "./recovery.ts";
import { resync } from "./resync.ts";
import type { RunningArray } from "./running-array.ts";
import type { SpeedLimits } from "./speed-limit.ts";
import { piecesOf } from "./sync-pass.ts";
import { SyncWork } from "./sync-work.ts";
import type { BackgroundSyncOptions, SyncAction, SyncProgress } from "./sync-work.ts";

/** Somebody asked for a check or repair. */
interface Wish {
  readonly way: "check" | "repair";
  /** Where it goes on after a pause, and what it has found before. */
  start: number;
  mismatchedBytes: number;
  readonly resolve: (mismatchedBytes: number) => void;
  readonly reject: (error: CevError) => void;
}

/**
 * Keeps the redundancy whole beside ordinary requests, one action at a time and in md's order: spares step in for what
 * is missing and are rebuilt, what was not shut down cleanly is resynced, checks and repairs are done when asked for.
 */
export class BackgroundSync {
  readonly #work: SyncWork;
  readonly #array: RunningArray;
  #loop: Promise<void> | null = null;
  /** There may be something to do that the loop has not seen. */
  #isKicked = false;
  #wish: Wish | null = null;
  #isRunning = false;
  #isChanging = false;
  #isPaused = false;
  /** What ended the last pass of its kind: it is not begun again before something has changed. */
  #recoverError: CevError | null = null;
  #resyncError: CevError | null = null;
  #mismatchedBytes: number | null = null;
  #resumers: (() => void)[] = [];

  constructor(options: BackgroundSyncOptions) {
    this.#work = new SyncWork(options);
    this.#array = options.array;
  }

  get action(): SyncAction {
    return this.#work.action;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Null: nothing is under way. */
  get progress(): SyncProgress | null {
    return this.#work.progress;
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
    this.#work.interrupt();
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
    this.#work.interrupt();
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
    this.#work.interrupt();
  }

  resume(): void {
    this.#isPaused = false;
    this.changed();
  }

  /** Ends a check or repair that is under way or was asked for; a resync or rebuild goes on when the array is next changed or opened. */
  async cancel(): Promise<void> {
    const { action } = this;
    const error = new CevError("CEV_CANCELLED", `the ${action} was cancelled`, { layer: this.#array.name });
    this.#work.interrupt();
    this.#refuseWish("it was cancelled");
    if (action === "recover") this.#recoverError = error;
    if (action === "resync") this.#resyncError = error;
    await this.#loop;
  }

  setSpeedLimit(limits: SpeedLimits): void {
    this.#work.speed.set(limits);
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

  /** Runs a change of the members, one at a time, while no pass is under way. */
  async between<T>(change: () => Promise<T>): Promise<T> {
    this.#isChanging = true;
    this.#work.interrupt();
    await this.#loop;
    try {
      return await change();
    } finally {
      this.#isChanging = false;
      this.changed();
    }
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

  get #mayGoOn(): boolean {
    return this.#isRunning && !this.#isPaused && !this.#isChanging;
  }

  #kick(): void {
    if (!this.#mayGoOn) return;
    this.#isKicked = true;
    this.#loop ??= this.#goOn()
      .catch((error: unknown) => this.#report(worldError(error)))
      .finally(() => {
        this.#loop = null;
        if (this.#isKicked) this.#kick();
        this.#wakeIdle();
      });
  }

  async #goOn(): Promise<void> {
    // Whoever started it has not returned yet.
    await Promise.resolve();
    while (this.#mayGoOn) {
      this.#work.mustStop = false;
      this.#isKicked = false;
      if (this.#array.isBroken || !this.#array.level.isRedundant) return;
      await this.#stepIn();
      const action = this.#nextAction();
      if (action === "idle") return;
      if (action === "check" || action === "repair") await this.#look(action);
      else await this.#restore(action);
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
    const size = this.#work.keeper.base.sizeSectors;
    const pairs: (readonly [Member, MemberDevice])[] = [];
    const spares = array.spares.filter(({ superblock }) => superblock.dataSizeSectors >= size);
    for (const member of array.members) {
      if (member.takesWrites) continue;
      const spare = spares.shift();
      if (spare === undefined) break;
      pairs.push([member, spare]);
    }
    if (pairs.length === 0) return;
    await this.#work.keeper.leaveBehind();
    await this.#work.options.gate.quiesce(() => {
      for (const [member, spare] of pairs)
        if (array.spares.includes(spare) && !member.takesWrites) array.fillMember(member, spare, 0, false);
    });
    this.#work.keeper.rewriteBitmap();
    await this.#work.keeper.update();
  }

  async #restore(action: "recover" | "resync"): Promise<void> {
    try {
      await (action === "recover" ? recover(this.#work) : resync(this.#work));
    } catch (error) {
      const cause = worldError(error);
      // The members are others than when it began: it is tried again with those.
      if (this.#work.mustStop) return;
      if (action === "recover") this.#recoverError = cause;
      else this.#resyncError = cause;
      this.#report(cause);
    }
  }

  async #look(way: "check" | "repair"): Promise<void> {
    const wish = this.#wish!;
    const { syncSize, syncStep } = this.#work.personality;
    const pass = this.#work.begin(way, wish.start, syncSize);
    pass.mismatchedBytes = wish.mismatchedBytes;
    try {
      const isComplete = await this.#work.run(pass, {
        pieces: piecesOf([{ start: wish.start, end: syncSize }], syncStep),
        start: wish.start,
        work: (piece) => this.#work.personality.syncSlice(piece.start, piece.end, way),
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
      this.#work.end(pass);
    }
  }

  #report(cause: CevError): void {
    this.#work.options.report({ severity: "error", code: cause.code, message: cause.message });
  }
}

import type { Problem } from "@cev/core";
import type { MetadataKeeper } from "./metadata-keeper.ts";
import type { Personality } from "./personality.ts";
import type { RequestGate } from "./request-gate.ts";
import type { RunningArray } from "./running-array.ts";
import { SpeedLimit } from "./speed-limit.ts";
import type { SpeedLimits } from "./speed-limit.ts";
import { runPass } from "./sync-pass.ts";
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

/** A pass that is under way. */
export interface Pass {
  readonly action: SyncAction;
  readonly total: number;
  done: number;
  mismatchedBytes: number;
  /** Where it was when that was recorded last, and when. */
  recorded: number;
  recordedAt: number;
  recording: Promise<void> | null;
}

/** How a pass goes about its pieces. */
export interface PassSteps {
  readonly pieces: Iterator<ByteRange, void, void>;
  readonly start: number;
  /** Resolves with the number of bytes that did not match. */
  readonly work: (piece: ByteRange) => Promise<number>;
  /** All below `position` is done. */
  readonly onPosition: (position: number) => void;
}

/** The pass over an array that is under way, if any: what resync, rebuild and check have in common. */
export class SyncWork {
  readonly options: BackgroundSyncOptions;
  readonly array: RunningArray;
  readonly keeper: MetadataKeeper;
  readonly speed: SpeedLimit;
  /** The pass under way ends before its next piece. Whoever begins another sees to it that this is false. */
  mustStop = false;
  #pass: Pass | null = null;
  #busySerial = 0;

  constructor(options: BackgroundSyncOptions) {
    this.options = options;
    this.array = options.array;
    this.keeper = options.keeper;
    this.speed = new SpeedLimit(options.array.environment.clock, options.speedLimit);
  }

  /** How the array is served now. */
  get personality(): Personality {
    return this.options.personality();
  }

  get action(): SyncAction {
    return this.#pass?.action ?? "idle";
  }

  /** Null: nothing is under way. */
  get progress(): SyncProgress | null {
    const pass = this.#pass;
    if (pass === null) return null;
    const { action, done, total, mismatchedBytes } = pass;
    return { action, done, total, mismatchedBytes, bytesPerSecond: this.speed.bytesPerSecond };
  }

  /** The pass under way is to end, or one that is about to begin. */
  interrupt(): void {
    this.mustStop = true;
  }

  /** A pass begins; `end` must follow. */
  begin(action: SyncAction, start: number, total: number): Pass {
    this.speed.restart();
    const recordedAt = this.array.environment.clock.now();
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

  /** Resolves with true once all pieces are done, with false when it was to stop; rejects with the first error. */
  run(pass: Pass, how: PassSteps): Promise<boolean> {
    const { gate, onProgress } = this.options;
    return runPass({
      environment: this.array.environment,
      speed: this.speed,
      pieces: how.pieces,
      start: how.start,
      end: pass.total,
      work: async (piece) => {
        // Several pieces are under way: what they add to is read when they have ended.
        const mismatched = await how.work(piece);
        pass.mismatchedBytes += mismatched;
      },
      mustStop: () => this.mustStop || this.array.isBroken,
      isBusy: () => {
        const { serial } = gate;
        const isBusy = serial !== this.#busySerial;
        this.#busySerial = serial;
        return isBusy;
      },
      onDone: (_piece, position) => {
        how.onPosition(position);
        pass.done = position;
        this.#checkpoint(pass);
        onProgress(this.progress!);
      },
    });
  }

  end(pass: Pass): void {
    const progress = this.progress!;
    this.#pass = null;
    this.options.onProgress({ ...progress, action: "idle", done: pass.done });
  }

  /** Records now and then how far a rebuild or resync has come, so that it goes on there after a restart. */
  #checkpoint(pass: Pass): void {
    if (pass.recording !== null || (pass.action !== "recover" && pass.action !== "resync")) return;
    const now = this.array.environment.clock.now();
    const isFar = pass.done - pass.recorded > pass.total / CHECKPOINT_PARTS;
    const isLate = now - pass.recordedAt > CHECKPOINT_MS;
    if (pass.done === pass.recorded || !(isFar || isLate)) return;
    pass.recorded = pass.done;
    pass.recordedAt = now;
    // That it fails shows in the members.
    pass.recording = this.keeper
      .update()
      .catch(() => undefined)
      .finally(() => void (pass.recording = null));
  }
}

import type { AbortSignalLike } from "../cancel-scope.ts";
import type { Claim, Claimant } from "../claims.ts";
import { EventState } from "../completion.ts";
import type { CancelTarget } from "../completion.ts";
import type { Environment } from "../environment.ts";
import { CevError } from "../errors.ts";
import { runAsBelow, runOf } from "../extents/run.ts";
import type { Run } from "../extents/run.ts";
import { Op, ioError, refuse } from "../io.ts";
import type { Io } from "../io.ts";
import { LayerBase, closeTree, openTree } from "../layer.ts";
import type { Layer, LayerDescription } from "../layer.ts";
import type { Limits } from "../limits.ts";
import { request } from "../request.ts";
import type { Support } from "../support.ts";
import { JointCounts } from "./counts.ts";
import { fit } from "./fit.ts";

/** Who watches the requests that pass a joint. What it throws fails the request. */
export interface JointWatcher {
  down(io: Io, joint: JointLayer): void;
  up(io: Io, joint: JointLayer): void;
}

/** What can be done while a joint is quiet. */
export interface JointSwap {
  /**
   * From now on the joint stands on `layer`, which is claimed and opened; what it stood on is given back and, unless others have it,
   * closed. Throws `CEV_INVALID` when `layer` cannot keep what the joint has promised, `CEV_BUSY` when another writer has it, or what
   * opening it threw: then nothing has changed. When what went cannot be closed that is thrown after the exchange.
   */
  over(layer: Layer): Promise<void>;
}

/** Settings of `JointLayer.quiesce`. */
export interface QuiesceOptions {
  /** How long requests under way may take to end, in milliseconds. Default: as long as they take. */
  readonly timeoutMs?: number;
  /** Ends the waiting, with `CEV_CANCELLED`. */
  readonly signal?: AbortSignalLike;
}

/**
 * A place in a stack where layers are put in, taken out and exchanged while requests come. To whoever stands on it it is what it was made
 * over, for good: limits and support stay, whatever stands below later. It costs a request one action and no memory.
 */
export class JointLayer extends LayerBase {
  readonly name: string;
  readonly limits: Limits;
  readonly support: Support;
  /** What has gone through here. */
  readonly counts: JointCounts = new JointCounts();
  /** In whose name it claims what it stands on: joints of one place share it, so that two of them may stand on one layer. */
  readonly claimant: Claimant;
  readonly #environment: Environment;
  #below: Layer;
  // Where requests go: what it stands on, with the adapters that this needs.
  #entry: Layer;
  #claim: Claim | null = null;
  #watcher: JointWatcher | null = null;
  /** Requests that are kept back; null: all are let through. */
  #held: HeldIo[] | null = null;
  // Nobody watches, nothing is kept back, nothing has to be told.
  #isPlain = true;
  #onEmpty: (() => void) | null = null;
  /** Of a flush of its own: what it should have made durable may be lost, and whoever flushes next is told. */
  #flushError: CevError | null = null;

  constructor(
    below: Layer,
    options: { readonly environment: Environment; readonly claimant?: Claimant },
  ) {
    super();
    this.name = below.name;
    this.limits = below.limits;
    this.support = below.support;
    this.claimant = options.claimant ?? this;
    this.#environment = options.environment;
    this.#below = below;
    this.#entry = below;
  }

  /** What it stands on now; adapters are not counted. */
  get below(): Layer {
    return this.#below;
  }

  override get lowers(): readonly Layer[] {
    return [this.#below];
  }

  /** True while requests are kept back. */
  get isQuiet(): boolean {
    return this.#held !== null;
  }

  get watcher(): JointWatcher | null {
    return this.#watcher;
  }

  set watcher(watcher: JointWatcher | null) {
    this.#watcher = watcher;
    this.#choosePath();
  }

  override open(): Promise<void> {
    return Promise.resolve().then(() => void (this.#claim = this.#claimOf(this.#below)));
  }

  submit(io: Io): void {
    if (!this.#isPlain) return this.#submitWatched(io);
    switch (io.op) {
      case Op.read:
      case Op.write:
      case Op.flush:
      case Op.discard:
      case Op.writeZeroes:
        break;
      default:
        return refuse(io, this);
    }
    this.counts.entered();
    io.pushAction(leaveJoint, this);
    this.#entry.submit(io);
  }

  runs(offset: number, length: number): readonly Run[] {
    // Who stands below is not certain while it is being exchanged.
    return this.#held === null ? runAsBelow(this.#below, offset, length) : runOf("data", length);
  }

  override close(): Promise<void> {
    this.#claim?.release();
    this.#claim = null;
    return Promise.resolve();
  }

  /** Of what it stands on: the joint itself is nothing that a stack is made of. */
  describe(): LayerDescription {
    return this.#below.describe();
  }

  /**
   * Keeps new requests back, waits for those under way, flushes, runs `change`, and lets all go on, in their order. One at a time. Rejects
   * with `CEV_TIMED_OUT`, `CEV_CANCELLED`, `CEV_BUSY` (another is under way) or the error of the flush, and then `change` was not run; or
   * with what `change` threw.
   */
  async quiesce<T>(change: (swap: JointSwap) => Promise<T>, options: QuiesceOptions = {}): Promise<T> {
    if (this.#held !== null)
      throw new CevError("CEV_BUSY", `${this.name} is being changed already`, { layer: this.name });
    this.#held = [];
    this.#choosePath();
    try {
      await this.#drain(options);
      await this.#flush();
      return await change({ over: (layer) => this.#exchange(layer) });
    } finally {
      this.#letGo();
    }
  }

  /** @internal */
  left(io: Io): void {
    this.counts.left(io);
    if (this.#isPlain) return;
    if (this.counts.inFlight === 0) this.#onEmpty?.();
    this.#watcher?.up(io, this);
  }

  #claimOf(layer: Layer): Claim {
    return layer.claims.acquire(this.claimant, this.support.write === "none" ? "read" : "write", layer.name);
  }

  #choosePath(): void {
    this.#isPlain = this.#held === null && this.#watcher === null && this.#flushError === null;
  }

  #submitWatched(io: Io): void {
    if (io.op > Op.writeZeroes) return refuse(io, this);
    if (this.#held !== null) {
      this.#held.push(new HeldIo(io, this.name));
      return;
    }
    if (io.op === Op.flush && this.#flushError !== null) {
      const error = this.#flushError;
      this.#flushError = null;
      this.#choosePath();
      return io.complete(error);
    }
    this.#watcher?.down(io, this);
    this.counts.entered();
    io.pushAction(leaveJoint, this);
    this.#entry.submit(io);
  }

  /** Waits until nothing is under way below. */
  async #drain({ timeoutMs, signal }: QuiesceOptions): Promise<void> {
    if (signal?.aborted === true) throw this.#interrupted();
    if (this.counts.inFlight === 0) return;
    await new Promise<void>((resolve, reject) => {
      const abort = (): void => end(this.#interrupted());
      const timer =
        timeoutMs === undefined
          ? null
          : this.#environment.clock.after(timeoutMs, () => end(this.#timedOut(timeoutMs)));
      const end = (error: CevError | null): void => {
        this.#onEmpty = null;
        timer?.cancel();
        signal?.removeEventListener("abort", abort);
        if (error === null) resolve();
        else reject(error);
      };
      signal?.addEventListener("abort", abort);
      this.#onEmpty = (): void => end(null);
    });
  }

  /** So that nothing that was acknowledged rests with what may go away: a later flush need not find the way there. */
  async #flush(): Promise<void> {
    if (this.support.flush === "none" || this.support.write === "none" || this.#claim === null) return;
    try {
      await request(this.#entry, this.#environment, Op.flush, 0, 0);
    } catch (error) {
      // A second flush might succeed, and say nothing of what the first one lost.
      this.#flushError ??= error as CevError;
      throw error;
    }
  }

  async #exchange(layer: Layer): Promise<void> {
    const entry = fit(layer, this, this.#environment);
    const isOpen = this.#claim !== null;
    const old = this.#below;
    if (!isOpen) {
      this.#below = layer;
      this.#entry = entry;
      return;
    }
    const claim = this.#claimOf(layer);
    try {
      await openTree(layer);
    } catch (error) {
      claim.release();
      throw error;
    }
    this.#claim!.release();
    this.#claim = claim;
    this.#below = layer;
    this.#entry = entry;
    await closeTree(old);
  }

  #letGo(): void {
    const held = this.#held!;
    this.#held = null;
    this.#choosePath();
    for (const each of held) {
      const io = each.take();
      if (io !== null) this.submit(io);
    }
  }

  #interrupted(): CevError {
    return new CevError("CEV_CANCELLED", "the change was called off while requests were waited for", {
      layer: this.name,
    });
  }

  #timedOut(timeoutMs: number): CevError {
    const message = `${this.counts.inFlight} requests did not end within ${timeoutMs} ms`;
    return new CevError("CEV_TIMED_OUT", message, { layer: this.name });
  }
}

/** A request that is kept back, and can be cancelled meanwhile. */
class HeldIo implements CancelTarget {
  readonly name: string;
  #io: Io | null;

  constructor(io: Io, name: string) {
    this.name = name;
    this.#io = io;
    io.pushAction(passHeld, this);
    if (io.isCancelRequested) this.onCancel();
  }

  /** To be let through; null: it was cancelled. */
  take(): Io | null {
    const io = this.#io;
    this.#io = null;
    return io;
  }

  onCancel(): void {
    const io = this.take();
    if (io?.state !== EventState.pending) return;
    io.complete(ioError(io, "CEV_CANCELLED", "cancelled while the stack was being changed", this.name));
  }
}

function leaveJoint(io: Io, joint: JointLayer): void {
  joint.left(io);
}

function passHeld(): void {
  // Only there so that whoever cancels the request finds it.
}

import type { AbortSignalLike } from "../cancel-scope.ts";
import type { Claim, Claimant } from "../claims.ts";
import { EventState } from "../completion.ts";
import type { CancelTarget } from "../completion.ts";
import type { Environment } from "../environment.ts";
import { CevError } from "../errors.ts";
import { runAsBelow, runOf } from "../extents/run.ts";
import type { Run } from "../extents/run.ts";
import { Op, ioError, refuse, submitThrew } from "../io.ts";
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
  /**
   * Gives back and closes what it stands on before anything else is there, for layers of which only one may be open: until `over`, and also
   * after the change where that does not come, the joint stands on nothing and keeps all requests back.
   */
  leave(): Promise<void>;
}

/** How far a change is: waiting for requests, flushing, changing. */
export type QuiesceStep = "draining" | "flushing" | "changing";

/** Settings of `JointLayer.quiesce`. */
export interface QuiesceOptions {
  /** How long requests under way may take to end, in milliseconds. Default: as long as they take. */
  readonly timeoutMs?: number;
  /** Ends the waiting, with `CEV_CANCELLED`. */
  readonly signal?: AbortSignalLike;
  /** Is told when a step begins, and of each request that ends meanwhile, with how many are under way. */
  readonly onStep?: (step: QuiesceStep, inFlight: number) => void;
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
  #onLeft: (() => void) | null = null;
  /** Resolves when the change under way is over; null: there is none. */
  #changing: Promise<void> | null = null;
  /** It stands on nothing: `below` is closed. */
  #isAway = false;
  /** What ends all requests; null: they are served. */
  #lost: CevError | null = null;
  /** Of a flush of its own: what it should have made durable may be lost, and whoever flushes next is told. */
  #flushError: CevError | null = null;

  constructor(below: Layer, options: { readonly environment: Environment; readonly claimant?: Claimant }) {
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

  /** True while it stands on nothing: a change took away what was there, and nothing came instead. */
  get isAway(): boolean {
    return this.#isAway;
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

  /** Waits for a change that is under way. */
  override async close(): Promise<void> {
    await this.#changing;
    this.#claim?.release();
    this.#claim = null;
  }

  /** Of what it stands on: the joint itself is nothing that a stack is made of. */
  describe(): LayerDescription {
    return this.#below.describe();
  }

  /**
   * Keeps new requests back, waits for those under way, flushes, runs `change`, and lets all go on, in their order; where it stands on
   * nothing then, they are kept back until another change puts it on something. One at a time. Rejects with `CEV_TIMED_OUT`, `CEV_CANCELLED`, `CEV_BUSY` (another is under way) or the error of the flush, and then `change` was not run; or
   * with what `change` threw.
   */
  async quiesce<T>(change: (swap: JointSwap) => Promise<T>, options: QuiesceOptions = {}): Promise<T> {
    if (this.#changing !== null)
      throw new CevError("CEV_BUSY", `${this.name} is being changed already`, { layer: this.name });
    if (this.#lost !== null) throw this.#lost;
    const ended = Promise.withResolvers<undefined>();
    this.#changing = ended.promise;
    this.#held ??= [];
    this.#choosePath();
    try {
      await this.#drain(options);
      options.onStep?.("flushing", 0);
      await this.#flush();
      options.onStep?.("changing", 0);
      return await change({ over: (layer) => this.#exchange(layer), leave: () => this.#leave() });
    } finally {
      this.#changing = null;
      if (!this.#isAway) this.#letGo();
      ended.resolve(undefined);
    }
  }

  /** For one that stands on nothing, and is to be closed: what it keeps back fails, and whatever comes later. */
  giveUp(): void {
    if (!this.#isAway) return;
    const message = "what stood here was taken away, and nothing came instead";
    this.#lost = new CevError("CEV_DEVICE_LOST", message, { layer: this.name });
    this.#letGo();
  }

  /** @internal */
  left(io: Io): void {
    this.counts.left(io);
    if (this.#isPlain) return;
    this.#onLeft?.();
    this.#watcher?.up(io, this);
  }

  #claimOf(layer: Layer): Claim {
    return layer.claims.acquire(this.claimant, this.support.write === "none" ? "read" : "write", layer.name);
  }

  #choosePath(): void {
    this.#isPlain =
      this.#held === null && this.#watcher === null && this.#flushError === null && this.#lost === null;
  }

  #submitWatched(io: Io): void {
    if (io.op > Op.writeZeroes) return refuse(io, this);
    if (this.#held !== null) {
      this.#held.push(new HeldIo(io, this.name));
      return;
    }
    if (this.#lost !== null) return io.complete(this.#lost);
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
  async #drain({ timeoutMs, signal, onStep }: QuiesceOptions): Promise<void> {
    if (signal?.aborted === true) throw this.#interrupted();
    onStep?.("draining", this.counts.inFlight);
    if (this.counts.inFlight === 0) return;
    await new Promise<void>((resolve, reject) => {
      const abort = (): void => end(this.#interrupted());
      const timer =
        timeoutMs === undefined
          ? null
          : this.#environment.clock.after(timeoutMs, () => end(this.#timedOut(timeoutMs)));
      const end = (error: CevError | null): void => {
        this.#onLeft = null;
        timer?.cancel();
        signal?.removeEventListener("abort", abort);
        if (error === null) resolve();
        else reject(error);
      };
      signal?.addEventListener("abort", abort);
      this.#onLeft = (): void => {
        if (this.counts.inFlight === 0) end(null);
        else onStep?.("draining", this.counts.inFlight);
      };
    });
  }

  /** So that nothing that was acknowledged rests with what may go away: a later flush need not find the way there. */
  async #flush(): Promise<void> {
    if (this.support.flush === "none" || this.support.write === "none" || this.#claim === null) return;
    if (this.#isAway) return;
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
    const wasAway = this.#isAway;
    this.#claim!.release();
    this.#claim = claim;
    this.#below = layer;
    this.#entry = entry;
    this.#isAway = false;
    if (!wasAway) await closeTree(old);
  }

  async #leave(): Promise<void> {
    if (this.#claim === null || this.#isAway) return;
    this.#claim.release();
    // A claim on what is closed keeps nobody away, and says that the joint is open.
    this.#claim = NO_CLAIM;
    this.#isAway = true;
    await closeTree(this.#below);
  }

  #letGo(): void {
    const held = this.#held ?? [];
    this.#held = null;
    this.#choosePath();
    for (const each of held) {
      const io = each.take();
      if (io === null) continue;
      try {
        this.submit(io);
      } catch (error) {
        // Against the contract; the others are not to wait for ever because of that.
        submitThrew(io, error, this.name);
      }
    }
  }

  #interrupted(): CevError {
    return new CevError("CEV_CANCELLED", "the change was called off while requests were waited for", {
      layer: this.name,
    });
  }

  #timedOut(timeoutMs: number): CevError {
    const { inFlight } = this.counts;
    const requests = inFlight === 1 ? "a request" : `${inFlight} requests`;
    const message = `${requests} did not end within ${timeoutMs} ms, and nothing was changed`;
    return new CevError("CEV_TIMED_OUT", message, { layer: this.name });
  }
}

const NO_CLAIM: Claim = { mode: "read", release: () => undefined };

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

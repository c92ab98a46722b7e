import { EventState } from "./completion.ts";
import type { SubmitTarget } from "./compound-io.ts";
import type { CevError } from "./errors.ts";
import { ProgramError, isCevError } from "./errors.ts";
import { Op, ioError, opName, refuse, submitTo } from "./io.ts";
import type { Io } from "./io.ts";
import { LayerBase } from "./layer.ts";

/**
 * Passes the same `Io` on to a lower (the first one by default) and waits for it. Rejects with its error; then it may be
 * called again: a retry.
 */
export type Next = (io: Io, lower?: SubmitTarget) => Promise<void>;

/** A method of an `AsyncLayer`: returning means success, throwing a `CevError` fails the `Io`. */
export type AsyncHandler = (io: Io, next: Next) => Promise<void>;

/**
 * The other way to write a layer: plain `async` methods, one per operation it knows; those it lacks are refused. Slower
 * than actions, and the same in every other respect: the same `Io` goes down, and nobody can tell.
 */
export abstract class AsyncLayer extends LayerBase {
  read?(io: Io, next: Next): Promise<void>;
  /** The data is the caller's, perhaps shared by many requests: never altered. What is stored in its place lies in other memory. */
  write?(io: Io, next: Next): Promise<void>;
  flush?(io: Io, next: Next): Promise<void>;
  discard?(io: Io, next: Next): Promise<void>;
  writeZeroes?(io: Io, next: Next): Promise<void>;

  submit(io: Io): void {
    const handler = this.#handlerOf(io.op);
    if (handler === undefined) return refuse(io, this);
    const pass = new Pass(io, this);
    // An async function never throws before its first await; one that is not async may.
    let outcome: Promise<void>;
    try {
      outcome = Promise.resolve(handler.call(this, io, pass.next));
    } catch (error) {
      outcome = Promise.reject(error instanceof Error ? error : new ProgramError(String(error)));
    }
    outcome.then(pass.succeed, pass.failWith);
  }

  #handlerOf(op: Op): AsyncHandler | undefined {
    switch (op) {
      case Op.read:
        return this.read?.bind(this);
      case Op.write:
        return this.write?.bind(this);
      case Op.flush:
        return this.flush?.bind(this);
      case Op.discard:
        return this.discard?.bind(this);
      case Op.writeZeroes:
        return this.writeZeroes?.bind(this);
      default:
        return undefined;
    }
  }
}

/** One `Io` on its way through an async handler. */
class Pass {
  readonly name: string;
  readonly #io: Io;
  readonly #layer: AsyncLayer;
  #isBelow = false;
  #isEnded = false;
  #settle: { resolve: () => void; reject: (error: CevError) => void } | null = null;

  constructor(io: Io, layer: AsyncLayer) {
    this.#io = io;
    this.#layer = layer;
    this.name = layer.name;
  }

  readonly next: Next = (io, lower) => {
    const target = lower ?? this.#layer.lowers[0];
    if (io !== this.#io) throw new ProgramError(`${this.name}: next() takes the Io that the layer was given`);
    if (target === undefined) throw new ProgramError(`${this.name}: next() without a lower layer`);
    if (this.#isBelow || this.#isEnded)
      throw new ProgramError(`${this.name}: next() of an Io that is not here`);
    if (io.state === EventState.held) io.restart();
    return new Promise<void>((resolve, reject) => {
      this.#settle = { resolve, reject };
      this.#isBelow = true;
      io.pushAction(cameBack, this);
      submitTo(target, io);
    });
  };

  readonly succeed = (): void => this.#end(null);

  readonly failWith = (error: unknown): void => {
    const io = this.#io;
    if (isCevError(error)) this.#end(error);
    else
      this.#end(
        ioError(
          io,
          "CEV_PROGRAM",
          `${opName(io.op)} threw: ${error instanceof Error ? error.message : String(error)}`,
          this.name,
          error,
        ),
      );
  };

  /** The lower layers are through: the chain waits for the handler. */
  returned(): void {
    const io = this.#io;
    this.#isBelow = false;
    io.hold();
    const settle = this.#settle!;
    if (io.error === null) settle.resolve();
    else settle.reject(io.error);
  }

  #end(error: CevError | null): void {
    const io = this.#io;
    this.#isEnded = true;
    if (this.#isBelow) {
      // The handler did not wait for its `next`. The Io is not ours to end: it fails when it comes back.
      this.#settle = {
        resolve: () => this.#finish(notAwaited(io, this.name)),
        reject: (lowerError) => this.#finish(lowerError),
      };
      return;
    }
    this.#finish(error);
  }

  #finish(error: CevError | null): void {
    const io = this.#io;
    if (io.state !== EventState.held) {
      io.complete(error);
      return;
    }
    // A handler that caught an error and returned has made it good.
    io.transferred = error === null ? io.length : io.error === null ? 0 : io.transferred;
    io.error = error;
    io.resume();
  }
}

function notAwaited(io: Io, name: string): CevError {
  return ioError(io, "CEV_PROGRAM", "the layer returned without waiting for next()", name);
}

function cameBack(_io: Io, pass: Pass): void {
  pass.returned();
}

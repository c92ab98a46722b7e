import { isCevError } from "@cev/core";
import type { BufferPool, PoolBuffer } from "@cev/core";
import { errorMessage, nbdErrnoOf } from "../../protocol/errno.ts";
import { NbdErrno } from "../../protocol/numbers.ts";
import type { HeaderStyle } from "../../protocol/numbers.ts";
import type { Export } from "../exports/export.ts";
import type { MemoryBudget } from "../../memory/memory-budget.ts";
import type { Releasable, ReplyWriter } from "./reply-writer.ts";
import type { Request } from "./request.ts";
import type { TransmissionParts } from "./transmission-parts.ts";

/** Answers a request by several steps. What it rejects with becomes an error that ends the reply. */
export type Work = (cold: ColdWork, request: Request) => Promise<void>;

/** Memory of such a request; whoever has it lets go of it. */
export interface ColdMemory extends Releasable {
  /** At least as long as was asked for. */
  readonly bytes: Uint8Array;
}

// Any of them may go through a whole device; the rest waits, and other requests do not wait for them.
const RUNNING_MAX = 4;

/**
 * Requests that take more than one step: statuses, caching, reads with holes. They run beside the others, a few at a time, and
 * may be slow, so they are written with promises.
 */
export class ColdWork {
  readonly target: Export;
  readonly style: HeaderStyle;
  readonly writer: ReplyWriter;
  /** True when there is nobody any more to be answered: nothing may be put into `writer`. */
  isClosed = false;
  readonly #buffers: BufferPool;
  readonly #budget: MemoryBudget;
  readonly #wantTurn: () => void;
  readonly #waiting: { readonly request: Request; readonly work: Work }[] = [];
  #runningCount = 0;

  /** `wantTurn`: something is to be sent. */
  constructor(
    target: Export,
    style: HeaderStyle,
    writer: ReplyWriter,
    { buffers, budget }: Pick<TransmissionParts, "buffers" | "budget">,
    wantTurn: () => void,
  ) {
    this.target = target;
    this.style = style;
    this.writer = writer;
    this.#buffers = buffers;
    this.#budget = budget;
    this.#wantTurn = wantTurn;
  }

  /** Begins now, or when others have ended. The request is released when it is answered. */
  start(request: Request, work: Work): void {
    if (this.#runningCount < RUNNING_MAX) void this.#run(request, work);
    else this.#waiting.push({ request, work });
  }

  /** Nothing more is sent. Those that wait end at once, those that run as soon as they see it. */
  close(): void {
    this.isClosed = true;
    for (const { request } of this.#waiting.splice(0)) request.release();
  }

  /** What was put so far may leave. */
  send(): void {
    if (!this.isClosed) this.#wantTurn();
  }

  /** Memory, as soon as there is some. */
  async memory(length: number): Promise<ColdMemory> {
    const buffers = this.#buffers;
    const budget = this.#budget;
    while (!budget.tryTake(length)) {
      await new Promise<void>((resolve) => {
        budget.waitForRoom(wake, resolve);
      });
    }
    if (length > buffers.bufferLengthMax)
      return { bytes: new Uint8Array(length), release: () => budget.give(length) };
    let lent = buffers.tryAcquire(length);
    while (lent === null) {
      await new Promise<void>((resolve) => {
        buffers.waitForRoom(wake, resolve);
      });
      lent = buffers.tryAcquire(length);
    }
    const taken: PoolBuffer = lent;
    return {
      bytes: taken.bytes,
      release: () => {
        buffers.release(taken);
        budget.give(length);
      },
    };
  }

  async #run(request: Request, work: Work): Promise<void> {
    this.#runningCount++;
    try {
      await work(this, request);
    } catch (error) {
      if (!this.isClosed) this.#putError(request, error);
    }
    this.#runningCount--;
    request.release();
    this.send();
    const next = this.#waiting.shift();
    if (next !== undefined) void this.#run(next.request, next.work);
  }

  #putError(request: Request, error: unknown): void {
    request.errno = isCevError(error) ? nbdErrnoOf(error.code) : NbdErrno.EIO;
    const text = isCevError(error) ? errorMessage(error) : String(error);
    this.writer.putError(this.style, request, request.errno, text);
  }
}

function wake(_from: BufferPool | MemoryBudget, resolve: () => void): void {
  resolve();
}

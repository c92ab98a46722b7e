import { isCevError } from "@cev/core";
import type { PoolBuffer } from "@cev/core";
import { errorMessage, nbdErrnoOf } from "../../protocol/errno.ts";
import { NbdErrno } from "../../protocol/numbers.ts";
import type { HeaderStyle } from "../../protocol/numbers.ts";
import type { Export } from "../exports/export.ts";
import { MemoryTaker } from "../../memory/memory-taker.ts";
import type { MemoryHolder, MemorySources } from "../../memory/memory-taker.ts";
import type { Releasable, ReplyWriter } from "./reply-writer.ts";
import type { Request } from "./request.ts";
import type { TransmissionParts } from "./transmission-parts.ts";

/** Answers a request by several steps. What it rejects with becomes an error that ends the reply. */
export type Work = (cold: ColdWork, request: Request) => Promise<void>;

/** Who hands such requests over. */
export interface ColdUser {
  /** Something is to be sent. */
  wantTurn(): void;
  /** An answer could not be given, not even that there was no memory for one. */
  failed(error: unknown): void;
}

/** Memory of such a request; whoever has it lets go of it. */
export interface ColdMemory extends Releasable {
  /** At least as long as was asked for. */
  readonly bytes: Uint8Array;
}

const NO_BYTES = new Uint8Array(0);
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
  readonly #sources: MemorySources;
  readonly #unsentMax: number;
  readonly #user: ColdUser;
  readonly #waiting: { readonly request: Request; readonly work: Work }[] = [];
  #runningCount = 0;

  constructor(target: Export, style: HeaderStyle, parts: TransmissionParts, user: ColdUser) {
    this.target = target;
    this.style = style;
    this.writer = parts.writer;
    this.#sources = parts;
    this.#unsentMax = parts.limits.unsentMax;
    this.#user = user;
  }

  /** Begins now, or when others have ended. The request is released when it is answered. */
  start(request: Request, work: Work): void {
    this.#waiting.push({ request, work });
    this.goOn();
  }

  /** Begins what waits, as far as the limits allow: again when others have ended, or answers have left. */
  goOn(): void {
    while (
      this.#waiting.length > 0 &&
      this.#runningCount < RUNNING_MAX &&
      this.writer.unsentLength < this.#unsentMax
    ) {
      const { request, work } = this.#waiting.shift()!;
      void this.#run(request, work);
    }
  }

  /** Nothing more is sent. Those that wait end at once, those that run as soon as they see it. */
  close(): void {
    this.isClosed = true;
    for (const { request } of this.#waiting.splice(0)) request.release();
  }

  /** What was put so far may leave. */
  send(): void {
    if (!this.isClosed) this.#user.wantTurn();
  }

  /** Memory, as soon as there is some: all that one of them holds at a time. Rejects with `CEV_NO_MEMORY`. */
  async memory(length: number): Promise<ColdMemory> {
    let wake = (): void => {};
    const taker = new MemoryTaker(this.#sources, () => wake(), false);
    const memory = new TakenMemory(taker);
    while (!taker.tryTake(memory, length)) await new Promise<void>((resolve) => (wake = resolve));
    return memory;
  }

  async #run(request: Request, work: Work): Promise<void> {
    this.#runningCount++;
    try {
      await work(this, request);
    } catch (error) {
      this.#putError(request, error);
    }
    this.#runningCount--;
    request.release();
    this.send();
    this.goOn();
  }

  #putError(request: Request, error: unknown): void {
    if (this.isClosed) return;
    request.errno = isCevError(error) ? nbdErrnoOf(error.code) : NbdErrno.EIO;
    const text = isCevError(error) ? errorMessage(error) : String(error);
    try {
      this.writer.putError(this.style, request, request.errno, text);
    } catch (failure) {
      this.#user.failed(failure);
    }
  }
}

class TakenMemory implements ColdMemory, MemoryHolder {
  bytes: Uint8Array = NO_BYTES;
  lent: PoolBuffer | null = null;
  taken = 0;
  readonly #taker: MemoryTaker;

  constructor(taker: MemoryTaker) {
    this.#taker = taker;
  }

  release(): void {
    this.#taker.giveBack(this);
  }
}

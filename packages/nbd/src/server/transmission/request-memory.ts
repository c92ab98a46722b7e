import { MemoryTaker } from "../../memory/memory-taker.ts";
import type { MemorySources } from "../../memory/memory-taker.ts";
import type { Request } from "./request.ts";

/** What requests of one connection hold, and what they wait for. */
export class RequestMemory {
  /** Bytes of memory that requests keep busy. */
  load = 0;
  readonly #taker: MemoryTaker;

  /** `hasRoom`: what was not there before may be there now. */
  constructor(sources: MemorySources, hasRoom: () => void) {
    this.#taker = new MemoryTaker(sources, hasRoom, true);
  }

  /** Memory of its own for a request. False: there is none now, and `hasRoom` tells when to try again. Throws `CEV_NO_MEMORY`. */
  tryTake(request: Request, length: number): boolean {
    if (!this.#taker.tryTake(request, length)) return false;
    this.addLoad(request, request.bytes.length);
    return true;
  }

  /** So much of other memory is kept busy by a request. */
  addLoad(request: Request, load: number): void {
    request.load = load;
    this.load += load;
  }

  /** A request needs nothing any more. */
  free(request: Request): void {
    this.load -= request.load;
    request.load = 0;
    request.shared?.release();
    request.shared = null;
    this.#taker.giveBack(request);
  }

  /** From here on nobody waits for what it has, as if it were the connection's own. */
  uncount(request: Request | null): void {
    if (request !== null) this.#taker.uncount(request);
  }

  /** All that could be begun was: a wake-up that led to nothing is for others. */
  passOn(): void {
    this.#taker.passOn();
  }

  /** Nothing is waited for any more. */
  close(): void {
    this.#taker.close();
  }
}

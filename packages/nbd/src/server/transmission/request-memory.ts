import type { BufferPool, WaitEntry } from "@cev/core";
import type { MemoryBudget } from "../../memory/memory-budget.ts";
import type { Request } from "./request.ts";

/** What requests of one connection hold, and what they wait for. */
export class RequestMemory {
  /** Bytes of memory that requests keep busy. */
  load = 0;
  readonly #buffers: BufferPool;
  readonly #budget: MemoryBudget;
  readonly #hasRoom: () => void;
  #waitingForPool: WaitEntry | null = null;
  #waitingForBudget: WaitEntry | null = null;

  /** `hasRoom`: what was not there before may be there now. */
  constructor(
    { buffers, budget }: { readonly buffers: BufferPool; readonly budget: MemoryBudget },
    hasRoom: () => void,
  ) {
    this.#buffers = buffers;
    this.#budget = budget;
    this.#hasRoom = hasRoom;
  }

  /** Memory of its own for a request. False: there is none now, and `hasRoom` tells when to try again. */
  tryTake(request: Request, length: number): boolean {
    if (!this.#budget.tryTake(length)) {
      this.#waitingForBudget ??= this.#budget.waitForRoom(tellOfBudget, this);
      return false;
    }
    if (request.tryAcquireMemory(this.#buffers, length)) {
      request.taken = length;
      this.load += request.load;
      return true;
    }
    this.#budget.give(length);
    this.#waitingForPool ??= this.#buffers.waitForRoom(tellOfPool, this);
    return false;
  }

  /** So much of other memory is kept busy by a request. */
  addLoad(request: Request, load: number): void {
    request.load = load;
    this.load += load;
  }

  /** A request needs nothing any more. */
  free(request: Request): void {
    this.load -= request.load;
    request.freeMemory(this.#buffers);
    if (request.taken > 0) this.#giveBack(request);
  }

  /** Nothing is waited for any more. */
  close(): void {
    if (this.#waitingForPool !== null) this.#buffers.stopWaitingForRoom(this.#waitingForPool);
    if (this.#waitingForBudget !== null) this.#budget.stopWaiting(this.#waitingForBudget);
    // A wake-up that came just before may have been for this one.
    this.#budget.passOn();
  }

  /** @internal */
  poolHasRoom(): void {
    this.#waitingForPool = null;
    this.#hasRoom();
  }

  /** @internal */
  budgetHasRoom(): void {
    this.#waitingForBudget = null;
    this.#hasRoom();
  }

  #giveBack(request: Request): void {
    const { taken } = request;
    request.taken = 0;
    this.#budget.give(taken);
  }
}

function tellOfPool(_buffers: BufferPool, memory: RequestMemory): void {
  memory.poolHasRoom();
}

function tellOfBudget(_budget: MemoryBudget, memory: RequestMemory): void {
  memory.budgetHasRoom();
}

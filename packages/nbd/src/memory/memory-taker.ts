import { CevError } from "@cev/core";
import type { BufferPool, PoolBuffer, WaitEntry } from "@cev/core";
import type { BudgetUser, MemoryBudget } from "./memory-budget.ts";

/** Where memory comes from: lent by the stack, and counted for all connections. */
export interface MemorySources {
  readonly buffers: BufferPool;
  readonly budget: MemoryBudget;
}

/** Who has memory. */
export interface MemoryHolder {
  /** At least as long as was asked for. */
  bytes: Uint8Array;
  /** Whose bytes they are; null: from the heap. */
  lent: PoolBuffer | null;
  /** Bytes that it has of the budget. */
  taken: number;
}

const NO_BYTES = new Uint8Array(0);
/** So much a connection that holds nothing gets in any case, whatever the others hold. */
const OWN_LENGTH = 16_384;

/**
 * Takes memory for somebody, of the budget and the pool both, and waits for it. Whoever is woken and does not take anything
 * passes the wake-up on: it was given to one alone.
 */
export class MemoryTaker implements BudgetUser {
  readonly #buffers: BufferPool;
  readonly #budget: MemoryBudget;
  readonly #hasRoom: () => void;
  readonly #ownLength: number;
  #takenLength = 0;
  /** Has what a connection gets in any case: who waits for others to hold nothing does not wait for that. */
  #own: MemoryHolder | null = null;
  #waitingForPool: WaitEntry | null = null;
  // Woken since the last try, by which of the two.
  #wokenByPool = false;
  #wokenByBudget = false;

  /** `hasRoom`: what was not there before may be there now. `isConnection`: it is never left without any. */
  constructor({ buffers, budget }: MemorySources, hasRoom: () => void, isConnection: boolean) {
    this.#buffers = buffers;
    this.#budget = budget;
    this.#hasRoom = hasRoom;
    this.#ownLength = isConnection ? OWN_LENGTH : 0;
  }

  /** False: there is none now, and `hasRoom` tells when to try again. Throws `CEV_NO_MEMORY` where the system has none. */
  tryTake(holder: MemoryHolder, length: number): boolean {
    const isGranted = this.#budget.tryTake(length, this);
    if (!isGranted && !this.#isOwn(length)) {
      this.#wokenByBudget = false;
      if (this.#wokenByPool) {
        // Of the room there it has no use now: that is for the next, and not for itself.
        this.#wokenByPool = false;
        this.#buffers.passRoomOn();
      }
      return false;
    }
    let hasBytes = false;
    try {
      hasBytes = this.#tryBytes(holder, length);
    } finally {
      // Whoever is first in the queue would tell itself, again and again.
      if (!hasBytes && isGranted) this.#budget.undoTake(length);
    }
    if (!hasBytes) {
      // Who comes next to the budget was told when this one left the queue, and is not while it has not.
      this.#wokenByPool = this.#wokenByBudget = false;
      this.#waitingForPool ??= this.#buffers.waitForRoom(tellOfPool, this);
      return false;
    }
    if (!isGranted) {
      this.#own = holder;
      this.#budget.takeBuffer(length);
    }
    holder.taken = length;
    this.#takenLength += length;
    // It may have come by it without a wake-up, and there may be room for more.
    this.close();
    return true;
  }

  giveBack(holder: MemoryHolder): void {
    const { lent } = holder;
    holder.lent = null;
    holder.bytes = NO_BYTES;
    if (lent !== null) this.#buffers.release(lent);
    this.uncount(holder);
  }

  /** It keeps its memory, which counts no longer. */
  uncount(holder: MemoryHolder): void {
    const { taken } = holder;
    if (taken === 0) return;
    holder.taken = 0;
    this.#takenLength -= taken;
    if (this.#own !== holder) return this.#budget.give(taken);
    this.#own = null;
    this.#budget.giveBuffer(taken);
  }

  /** A wake-up that has led to nothing is for the next. */
  passOn(): void {
    if (this.#wokenByPool) {
      this.#wokenByPool = false;
      this.#buffers.passRoomOn();
    }
    if (this.#wokenByBudget) {
      this.#wokenByBudget = false;
      this.#budget.leave(this);
    }
  }

  /** Nothing is waited for any more. */
  close(): void {
    if (this.#waitingForPool !== null) this.#buffers.stopWaitingForRoom(this.#waitingForPool);
    this.#waitingForPool = null;
    this.passOn();
    this.#budget.leave(this);
  }

  /** @internal */
  poolHasRoom(): void {
    this.#waitingForPool = null;
    this.#wokenByPool = true;
    this.#hasRoom();
  }

  /** @internal */
  budgetHasRoom(): void {
    this.#wokenByBudget = true;
    this.#hasRoom();
  }

  /** A connection that holds nothing gets so much in any case. */
  #isOwn(length: number): boolean {
    return this.#takenLength === 0 && length <= this.#ownLength;
  }

  #tryBytes(holder: MemoryHolder, length: number): boolean {
    try {
      // Longer than the pool ever lends: from the heap.
      if (length > this.#buffers.bufferLengthMax) {
        holder.bytes = new Uint8Array(length);
        return true;
      }
      holder.lent = this.#buffers.tryAcquire(length);
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      throw new CevError("CEV_NO_MEMORY", `the system has no ${length} bytes for a request`, { cause });
    }
    if (holder.lent === null) return false;
    holder.bytes = holder.lent.bytes;
    return true;
  }
}

function tellOfPool(_buffers: BufferPool, taker: MemoryTaker): void {
  taker.poolHasRoom();
}

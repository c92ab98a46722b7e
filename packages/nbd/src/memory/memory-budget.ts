import { WaitQueue } from "@cev/core";
import type { Action, WaitEntry } from "@cev/core";

/**
 * How much memory all connections of a server may keep busy together: what requests hold, and the buffers of connections.
 * Only requests are made to wait. One is always let in where no other holds any memory, however long it is: so nobody waits
 * for ever, and connections that do nothing cannot use it all up.
 */
export class MemoryBudget {
  readonly bytesMax: number;
  #requestBytes = 0;
  #bufferBytes = 0;
  readonly #room = new WaitQueue<MemoryBudget>();

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  get bytesTaken(): number {
    return this.#requestBytes + this.#bufferBytes;
  }

  /** True when somebody waits for what others hold. */
  get isWanted(): boolean {
    return this.#room.length > 0;
  }

  /** Takes memory for a request. False: there is no room; then `waitForRoom`. */
  tryTake(bytes: number): boolean {
    if (this.#requestBytes > 0 && this.bytesTaken + bytes > this.bytesMax) return false;
    this.#requestBytes += bytes;
    return true;
  }

  /** Takes it in any case. */
  take(bytes: number): void {
    this.#requestBytes += bytes;
  }

  give(bytes: number): void {
    this.#requestBytes -= bytes;
    this.passOn();
  }

  /** Counts a buffer of a connection, which cannot wait. */
  takeBuffer(bytes: number): void {
    this.#bufferBytes += bytes;
  }

  giveBuffer(bytes: number): void {
    this.#bufferBytes -= bytes;
    this.passOn();
  }

  /** Is woken, one at a time and first come first served, whenever there may be room again. Then try again. */
  waitForRoom<C>(wake: Action<MemoryBudget, C>, context: C): WaitEntry {
    return this.#room.addExclusive(wake, context);
  }

  /** False when the wake-up has run already: whoever has no use for it any more calls `passOn`. */
  stopWaiting(entry: WaitEntry): boolean {
    return this.#room.remove(entry);
  }

  /** Wakes the next that waits. */
  passOn(): void {
    if (this.#room.length > 0) this.#room.wake(this, 1);
  }
}

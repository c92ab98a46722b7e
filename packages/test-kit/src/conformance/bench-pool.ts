import { BufferPool } from "@cev/core";
import type { PoolBuffer } from "@cev/core";

const WAITERS_MAX = 64;

/** A pool that can be told that it has nothing to lend. */
export class BenchPool extends BufferPool {
  #isFull = false;

  override tryAcquire(length: number): PoolBuffer | null {
    return this.#isFull ? null : super.tryAcquire(length);
  }

  /** It has nothing to lend until `makeRoom`. */
  fill(): void {
    this.#isFull = true;
  }

  /** It lends again, and whoever waits is told. */
  makeRoom(): void {
    this.#isFull = false;
    for (let count = 0; count < WAITERS_MAX; count++) this.passRoomOn();
  }
}

import type { Io } from "@cev/core";
import type { MirrorEngine } from "./mirror-engine.ts";
import { MirrorWrite } from "./mirror-write.ts";

/** Writes, discards and write-zeroes: one compound each, of all copies. */
export class MirrorWriter {
  readonly #array: MirrorEngine;
  readonly #free: MirrorWrite[] = [];

  constructor(array: MirrorEngine) {
    this.#array = array;
  }

  /** A request anywhere in the array. */
  write(io: Io): void {
    const write = this.#free.pop() ?? new MirrorWrite(this.#array, this);
    write.start(io);
  }

  /** @internal One of the writes has ended. */
  ended(write: MirrorWrite): void {
    this.#free.push(write);
  }
}

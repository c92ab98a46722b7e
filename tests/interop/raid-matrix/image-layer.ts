import { FULL_SUPPORT, LayerBase, Op, plainLimits, refuse } from "@cev/core";
import type { Io, LayerDescription, Limits, Support } from "@cev/core";
import type { Random } from "../src/random.ts";

const DISCARDED = 0xdb;

/**
 * A disk that is an array of bytes, which stays the caller's: what was written can be looked at in it. With a source of
 * chance requests are done later, in any order, as a disk with a queue does them; without, at once.
 */
export class ImageLayer extends LayerBase {
  readonly name = "image";
  readonly limits: Limits;
  readonly support: Support = FULL_SUPPORT;
  readonly bytes: Uint8Array;
  readonly #random: Random | null;
  readonly #queue: Io[] = [];
  #isDue = false;

  constructor(bytes: Uint8Array, random: Random | null = null) {
    super();
    this.bytes = bytes;
    this.#random = random;
    this.limits = plainLimits(bytes.length, { logicalBlockSize: 512 });
  }

  submit(io: Io): void {
    if (this.#random === null) return this.#serve(io);
    this.#queue.push(io);
    this.#wake(this.#random);
  }

  describe(): LayerDescription {
    return { driver: "image", options: { size: this.bytes.length }, lowers: [] };
  }

  #wake(random: Random): void {
    if (this.#isDue || this.#queue.length === 0) return;
    this.#isDue = true;
    setImmediate(() => this.#drain(random));
  }

  /** Serves some of what waits, and the rest in a later turn. */
  #drain(random: Random): void {
    this.#isDue = false;
    for (let left = 1 + random.below(this.#queue.length); left > 0 && this.#queue.length > 0; left--) {
      const [io] = this.#queue.splice(random.below(this.#queue.length), 1);
      this.#serve(io!);
    }
    this.#wake(random);
  }

  #serve(io: Io): void {
    const { bytes } = this;
    const { offset, length } = io;
    switch (io.op) {
      case Op.read:
        io.data.set(bytes.subarray(offset, offset + length), io.dataOffset);
        break;
      case Op.write:
        bytes.set(io.data.subarray(io.dataOffset, io.dataOffset + length), offset);
        break;
      case Op.writeZeroes:
        bytes.fill(0, offset, offset + length);
        break;
      case Op.discard:
        // Whoever discards may not count on zeroes.
        bytes.fill(DISCARDED, offset, offset + length);
        break;
      case Op.flush:
        break;
      default:
        return refuse(io, this);
    }
    io.complete();
  }
}

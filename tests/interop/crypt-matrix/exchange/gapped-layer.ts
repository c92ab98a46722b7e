import { FULL_SUPPORT, LayerBase, Op, plainLimits, refuse } from "@cev/core";
import type { Io, LayerDescription, Limits, Support } from "@cev/core";
import type { Place } from "../recipe.ts";

/**
 * A device much longer than the bytes that it is made of, which stay the caller's: what lies before the gap and behind it is kept,
 * the gap reads as zeroes and cannot be written. Without a gap it is an image.
 */
export class GappedLayer extends LayerBase {
  readonly name = "image";
  readonly limits: Limits;
  readonly support: Support = FULL_SUPPORT;
  readonly bytes: Uint8Array;
  readonly #gap: Place;
  /** How many requests were not reads or flushes. */
  changeCount = 0;

  constructor(bytes: Uint8Array, gap: Place | null) {
    super();
    this.bytes = bytes;
    this.#gap = gap ?? { offset: bytes.length, length: 0 };
    this.limits = plainLimits(bytes.length + this.#gap.length, { logicalBlockSize: 512 });
  }

  submit(io: Io): void {
    const { op, offset, length } = io;
    if (op === Op.flush) return io.complete();
    const { offset: gapStart, length: gapLength } = this.#gap;
    const gapEnd = gapStart + gapLength;
    const isBefore = offset + length <= gapStart;
    if (op !== Op.read) this.changeCount++;
    if (!isBefore && offset < gapEnd) {
      if (op !== Op.read) return io.fail("CEV_IO", `nothing is kept at byte ${offset}`, this.name);
      io.data.fill(0, io.dataOffset, io.dataOffset + length);
      return io.complete();
    }
    const at = isBefore ? offset : offset - gapLength;
    if (op === Op.read) io.data.set(this.bytes.subarray(at, at + length), io.dataOffset);
    else if (op === Op.write) this.bytes.set(io.data.subarray(io.dataOffset, io.dataOffset + length), at);
    else if (op === Op.writeZeroes || op === Op.discard) this.bytes.fill(0, at, at + length);
    else return refuse(io, this);
    io.complete();
  }

  describe(): LayerDescription {
    return { driver: "image", options: { size: this.limits.size }, lowers: [] };
  }
}

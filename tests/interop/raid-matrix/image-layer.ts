import { FULL_SUPPORT, LayerBase, Op, plainLimits, refuse } from "@cev/core";
import type { Io, LayerDescription, Limits, Support } from "@cev/core";

const DISCARDED = 0xdb;

/** A disk that is an array of bytes, which stays the caller's: what was written can be looked at in it. */
export class ImageLayer extends LayerBase {
  readonly name = "image";
  readonly limits: Limits;
  readonly support: Support = FULL_SUPPORT;
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    super();
    this.bytes = bytes;
    this.limits = plainLimits(bytes.length, { logicalBlockSize: 512 });
  }

  submit(io: Io): void {
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

  describe(): LayerDescription {
    return { driver: "image", options: { size: this.bytes.length }, lowers: [] };
  }
}

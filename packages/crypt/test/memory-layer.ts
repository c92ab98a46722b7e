import { FULL_SUPPORT, LayerBase, Op, plainLimits, refuse } from "@cev/core";
import type { Io, LayerDescription, Limits, Support } from "@cev/core";

/** A device in plain memory: `bytes` is what a disk would hold. */
export class MemoryLayer extends LayerBase {
  readonly name = "memory";
  readonly limits: Limits;
  readonly support: Support = FULL_SUPPORT;
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array, limits: Partial<Limits> = {}) {
    super();
    this.bytes = bytes;
    this.limits = plainLimits(bytes.length, limits);
  }

  submit(io: Io): void {
    const end = io.offset + io.length;
    switch (io.op) {
      case Op.read:
        io.data.set(this.bytes.subarray(io.offset, end), io.dataOffset);
        break;
      case Op.write:
        this.bytes.set(io.data.subarray(io.dataOffset, io.dataOffset + io.length), io.offset);
        break;
      case Op.flush:
        break;
      case Op.discard:
      case Op.writeZeroes:
        this.bytes.fill(0, io.offset, end);
        break;
      default:
        return refuse(io, this);
    }
    io.complete();
  }

  describe(): LayerDescription {
    return { driver: this.name, options: {}, lowers: [] };
  }
}

import { FULL_SUPPORT, LayerBase, Op, plainLimits, refuse } from "@cev/core";
import type { Io, LayerDescription, Limits, Support } from "@cev/core";

/** A device in one array, which counts what is written to it. */
export class ImageLayer extends LayerBase {
  readonly name: string;
  readonly limits: Limits;
  readonly support: Support = FULL_SUPPORT;
  readonly bytes: Uint8Array;
  writeCount = 0;

  constructor(name: string, bytes: Uint8Array, limits: Partial<Limits> = {}) {
    super();
    this.name = name;
    this.bytes = bytes;
    this.limits = plainLimits(bytes.length, limits);
  }

  submit(io: Io): void {
    const { bytes } = this;
    switch (io.op) {
      case Op.read:
        io.data.set(bytes.subarray(io.offset, io.offset + io.length), io.dataOffset);
        break;
      case Op.write:
        this.writeCount++;
        bytes.set(io.data.subarray(io.dataOffset, io.dataOffset + io.length), io.offset);
        break;
      case Op.writeZeroes:
        this.writeCount++;
        bytes.fill(0, io.offset, io.offset + io.length);
        break;
      case Op.discard:
        this.writeCount++;
        break;
      case Op.flush:
        break;
      default:
        return refuse(io, this);
    }
    io.complete();
  }

  describe(): LayerDescription {
    return { driver: "image", options: { name: this.name }, lowers: [] };
  }
}

import { FULL_SUPPORT, LayerBase, Op, READ_ONLY_SUPPORT, plainLimits, refuse, runOf } from "@cev/core";
import type { Io, LayerDescription, Limits, Run, Support } from "@cev/core";

/** Fails every request: what LVM2 puts where a lost part of a volume was. */
export class ErrorLayer extends LayerBase {
  readonly name = "error";
  readonly limits: Limits;
  readonly support: Support = FULL_SUPPORT;

  /** `size`: bytes. */
  constructor(size: number) {
    super();
    this.limits = plainLimits(size);
  }

  submit(io: Io): void {
    switch (io.op) {
      case Op.read:
      case Op.write:
      case Op.discard:
      case Op.writeZeroes:
        return io.fail("CEV_MEDIUM", "nothing is left of this part of the volume", this.name);
      case Op.flush:
        // Nothing was ever written here, so all of it is durable.
        return io.complete();
      default:
        return refuse(io, this);
    }
  }

  describe(): LayerDescription {
    return { driver: "@cev/lvm", options: { target: this.name, size: this.limits.size }, lowers: [] };
  }
}

/**
 * Reads as zeroes. The kernel's target of this name swallows what is written; here it is refused, because what would be
 * lost is somebody's data.
 */
export class ZeroLayer extends LayerBase {
  readonly name = "zero";
  readonly limits: Limits;
  readonly support: Support;

  constructor(size: number) {
    super();
    this.limits = plainLimits(size);
    this.support = READ_ONLY_SUPPORT;
  }

  submit(io: Io): void {
    if (io.op !== Op.read) return refuse(io, this);
    io.data.fill(0, io.dataOffset, io.dataOffset + io.length);
    io.complete();
  }

  runs(_offset: number, length: number): readonly Run[] {
    return runOf("hole", length);
  }

  describe(): LayerDescription {
    return { driver: "@cev/lvm", options: { target: this.name, size: this.limits.size }, lowers: [] };
  }
}

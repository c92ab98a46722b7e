import { CevError, LayerBase, Op, narrowSupport, refuse, runAsBelow } from "@cev/core";
import type { Io, Layer, LayerDescription, Limits, Run, Support } from "@cev/core";
import type { BlockSizeOptions } from "./options.ts";

/**
 * Shows blocks as large as the lower's or larger. The same requests go down, so nothing is copied; when the power goes, a large block
 * may be torn at the lower's blocks. What does not fill a block at the end is left out.
 */
export class LargeBlockLayer extends LayerBase {
  readonly name = "blocksize";
  readonly limits: Limits;
  readonly support: Support;
  readonly #lower: Layer;

  /** Throws `CEV_INVALID` for a block that is smaller than the lower's, or larger than all of it or than its longest request. */
  constructor(
    lower: Layer,
    { logicalBlockSize, isReadOnly = false }: BlockSizeOptions & { readonly isReadOnly?: boolean },
  ) {
    super([lower]);
    const below = lower.limits;
    if (logicalBlockSize < below.logicalBlockSize)
      throw new CevError("CEV_INVALID", `the device has blocks of ${below.logicalBlockSize} bytes`);
    if (below.size < logicalBlockSize)
      throw new CevError(
        "CEV_INVALID",
        `the device has ${below.size} bytes, which is less than one block of ${logicalBlockSize}`,
      );
    this.#lower = lower;
    // In parts a block could be left half written by a request that failed, too.
    if (below.ioLengthMax < logicalBlockSize)
      throw new CevError(
        "CEV_INVALID",
        `the device takes at most ${below.ioLengthMax} bytes at once, which is less than one block of ${logicalBlockSize}`,
      );
    this.limits = {
      size: below.size - (below.size % logicalBlockSize),
      logicalBlockSize,
      physicalBlockSize: Math.max(below.physicalBlockSize, logicalBlockSize),
      ioLengthMax: below.ioLengthMax - (below.ioLengthMax % logicalBlockSize),
      ioLengthPreferred: Math.max(below.ioLengthPreferred, logicalBlockSize),
      discardGranularity: Math.max(below.discardGranularity, logicalBlockSize),
    };
    this.support = isReadOnly ? narrowSupport(lower.support, ["read"]) : lower.support;
  }

  submit(io: Io): void {
    switch (io.op) {
      case Op.read:
        break;
      case Op.write:
      case Op.flush:
      case Op.discard:
      case Op.writeZeroes:
        if (this.support.write === "none" && (io.op !== Op.flush || this.support.flush === "none"))
          return refuse(io, this);
        break;
      default:
        return refuse(io, this);
    }
    this.#lower.submit(io);
  }

  runs(offset: number, length: number): readonly Run[] {
    return runAsBelow(this.#lower, offset, length);
  }

  describe(): LayerDescription {
    return {
      driver: "@cev/convert/blocksize",
      options: { logicalBlockSize: this.limits.logicalBlockSize },
      lowers: [this.#lower.describe()],
    };
  }
}

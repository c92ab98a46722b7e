import { BlockLayer, CevError, Op, narrowSupport, refuse } from "@cev/core";
import type { Environment, Io, Layer, LayerDescription, Support } from "@cev/core";
import type { BlockSizeOptions } from "./options.ts";

/** Settings of a `SmallBlockLayer`. */
export interface SmallBlockLayerOptions extends BlockSizeOptions {
  readonly environment: Environment;
  readonly isReadOnly?: boolean;
}

/**
 * Shows blocks that are smaller than the lower's: part of a block is written by reading, changing and writing the whole of it. When the
 * power goes, what is lost may be a block of the lower's, with the small blocks beside the one that was written.
 */
export class SmallBlockLayer extends BlockLayer {
  override readonly support: Support;

  /** Throws `CEV_INVALID` for a block that is not smaller than the lower's. */
  constructor(lower: Layer, { logicalBlockSize, environment, isReadOnly = false }: SmallBlockLayerOptions) {
    if (logicalBlockSize >= lower.limits.logicalBlockSize)
      throw new CevError("CEV_INVALID", `the device has blocks of ${lower.limits.logicalBlockSize} bytes`);
    super(lower, { logicalBlockSize, environment });
    this.support = isReadOnly ? narrowSupport(lower.support, ["read"]) : lower.support;
  }

  override submit(io: Io): void {
    if (
      this.support.write === "none" &&
      io.op !== Op.read &&
      (io.op !== Op.flush || this.support.flush === "none")
    )
      return refuse(io, this);
    super.submit(io);
  }

  override describe(): LayerDescription {
    return { ...super.describe(), driver: "@cev/convert/blocksize" };
  }
}

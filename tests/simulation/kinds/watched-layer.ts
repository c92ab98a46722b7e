import { Op, refuse } from "@cev/core";
import type { Io, Layer, Support } from "@cev/core";
import { NoOpLayer } from "@cev/test-kit";

/** Settings of a `WatchedLayer`. */
export interface WatchedLayerOptions {
  /** Once the work has ended: what is wrong with what it stands on, in words. */
  readonly look: () => Promise<readonly string[]>;
  /** Discards are not offered: what should be equal is, then. */
  readonly keepsAll: boolean;
}

/** Passes everything on, and knows how to look at what a kind stands on, or shows elsewhere. */
export class WatchedLayer extends NoOpLayer {
  override readonly support: Support;
  readonly look: () => Promise<readonly string[]>;

  constructor(lower: Layer, { look, keepsAll }: WatchedLayerOptions) {
    super(lower);
    this.support = keepsAll ? { ...lower.support, discard: "none" } : lower.support;
    this.look = look;
  }

  override submit(io: Io): void {
    if (io.op === Op.discard && this.support.discard === "none") return refuse(io, this);
    super.submit(io);
  }
}

/** For `verify` of a kind whose layers are watched. */
export const lookInto = async (layer: Layer): Promise<readonly string[]> =>
  layer instanceof WatchedLayer ? layer.look() : [];

import { SegmentLayer } from "@cev/core";
import type { Claimant, Json, Layer, LayerDescription, SegmentMap } from "@cev/core";

/** What a `VolumeLayer` is made of. */
export interface VolumeOptions {
  /** "vg0/root". */
  readonly name: string;
  readonly segments: SegmentMap;
  readonly isReadOnly: boolean;
  /** Claims what the volume lies on: the same for all volumes of a group, so that they can share it. */
  readonly claimant: Claimant;
  /** For `describe`: the driver's options that lead to this volume, and the devices to open with them. */
  readonly description: {
    readonly options: { readonly [key: string]: Json };
    readonly lowers: readonly Layer[];
  };
}

/** A logical volume: segments over physical volumes, over other volumes, or over what another driver made of those. */
export class VolumeLayer extends SegmentLayer {
  readonly name: string;
  readonly #description: VolumeOptions["description"];

  constructor(options: VolumeOptions) {
    super(options);
    this.name = options.name;
    this.#description = options.description;
  }

  describe(): LayerDescription {
    const { options, lowers } = this.#description;
    return { driver: "@cev/lvm", options, lowers: lowers.map((lower) => lower.describe()) };
  }
}

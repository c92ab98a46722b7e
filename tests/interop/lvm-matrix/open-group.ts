import { standardDrivers } from "@cev/cli";
import { Op, environmentFrom } from "@cev/core";
import type { Io } from "@cev/core";
import { openImages } from "@cev/stack";
import type { Stack } from "@cev/stack";
import { ImageLayer } from "../raid-matrix/image-layer.ts";
import type { Random } from "../src/random.ts";

const environment = environmentFrom(globalThis);

/** How a group is opened. Default: to be read. */
export interface OpenGroupOptions {
  readonly isReadOnly?: boolean;
  /** The disks do requests later, in any order. */
  readonly chance?: Random;
  /** What to open: "vg/root". Default: everything. */
  readonly only?: readonly string[];
  /** Told of every request that is not a read. */
  readonly onChange?: () => void;
}

/** An image that tells when somebody wants to change it. */
class WatchedImage extends ImageLayer {
  readonly #onChange: () => void;

  constructor(bytes: Uint8Array, chance: Random | null, onChange: () => void) {
    super(bytes, chance);
    this.#onChange = onChange;
  }

  override submit(io: Io): void {
    if (io.op !== Op.read) this.#onChange();
    super.submit(io);
  }
}

/** Finds out what is on these physical volumes (null: missing), given in an order left to chance, and opens it. */
export function openGroup(
  images: readonly (Uint8Array | null)[],
  random: Random,
  { isReadOnly = true, chance, only, onChange = () => {} }: OpenGroupOptions = {},
): Promise<Stack> {
  const present = images.flatMap((bytes, index) => (bytes === null ? [] : [{ index, bytes }]));
  return openImages(
    random.shuffle(present).map(({ index, bytes }) => ({
      name: `pv${index}`,
      layer: new WatchedImage(bytes, chance ?? null, onChange),
    })),
    {
      drivers: standardDrivers(),
      environment,
      isReadOnly,
      canWriteDegraded: !isReadOnly,
      ...(only === undefined ? {} : { only }),
    },
  );
}

import { standardDrivers } from "@cev/cli";
import { environmentFrom } from "@cev/core";
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
}

/** Finds out what is on these physical volumes (null: missing), given in an order left to chance, and opens it. */
export function openGroup(
  images: readonly (Uint8Array | null)[],
  random: Random,
  { isReadOnly = true, chance, only }: OpenGroupOptions = {},
): Promise<Stack> {
  const present = images.flatMap((bytes, index) => (bytes === null ? [] : [{ index, bytes }]));
  return openImages(
    random.shuffle(present).map(({ index, bytes }) => ({
      name: `pv${index}`,
      layer: new ImageLayer(bytes, chance ?? null),
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

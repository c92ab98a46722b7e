import { SegmentMap } from "@cev/core";
import type { MappedSegment } from "@cev/core";
import { VolumeLayer } from "@cev/lvm";
import type { SimulationKind } from "@cev/test-kit";

const START = 4096;

/** Logical volumes: linear in pieces out of order, or striped. */
export const volumeKind: SimulationKind = {
  name: "lvm",
  package: "@cev/lvm",
  planVersion: 1,
  traits: () => ({}),
  plan(random, size) {
    const isStriped = random.chance(0.5);
    const stripeSize = isStriped ? random.pick([4096, 8192]) : 0;
    const unit = isStriped ? stripeSize : 4096;
    const part = Math.ceil(size / 2 / unit) * unit;
    return { kind: "lvm", options: { part, stripeSize }, lowers: [START + part, START + part] };
  },
  async open({ options, whole }) {
    const { part, stripeSize } = options as { readonly part: number; readonly stripeSize: number };
    const [a, b] = whole().map(({ layer }) => layer);
    const segments: MappedSegment[] =
      stripeSize > 0
        ? [
            {
              start: 0,
              length: 2 * part,
              areas: [a!, b!].map((lower) => ({ lower, start: START })),
              stripeSize,
            },
          ]
        : [
            { start: 0, length: part, areas: [{ lower: b!, start: START }], stripeSize: 0 },
            { start: part, length: part, areas: [{ lower: a!, start: START }], stripeSize: 0 },
          ];
    return new VolumeLayer({
      name: "vg/volume",
      segments: new SegmentMap(segments),
      isReadOnly: false,
      claimant: { name: "vg" },
      description: { options: {}, lowers: [] },
    });
  },
};

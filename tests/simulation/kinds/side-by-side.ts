import { SegmentMap } from "@cev/core";
import type { Layer } from "@cev/core";
import { VolumeLayer } from "@cev/lvm";

/** Several devices of one kind as one, so that all of them are worked on: so many bytes of each, one behind the other. */
export function sideBySide(layers: readonly Layer[], length: number): Layer {
  const segments = layers.map((lower, index) => ({
    start: index * length,
    length,
    areas: [{ lower, start: 0 }],
    stripeSize: 0,
  }));
  return new VolumeLayer({
    name: "side by side",
    segments: new SegmentMap(segments),
    isReadOnly: false,
    claimant: { name: "all of a kind" },
    description: { options: {}, lowers: [] },
  });
}

import { CevError, SegmentMap } from "@cev/core";
import type { Claimant, Layer, MappedSegment } from "@cev/core";
import type { AssembledGroup } from "../assemble/assemble.ts";
import type { LogicalVolume, VolumeGroup } from "../model/group.ts";
import type { Segment } from "../model/segments.ts";
import { VolumeLayer } from "../volumes/volume-layer.ts";
import { DeviceLayer } from "./device-layer.ts";
import type { Session } from "./session.ts";

/** Makes layers of volumes that lie on physical volumes, for work on their contents. */
export class VolumeLayers {
  readonly #group: VolumeGroup;
  readonly #lowers: ReadonlyMap<string, Layer>;
  /** One for all, so that they share the physical volumes. */
  readonly #claimant: Claimant;

  constructor(session: Session, found: AssembledGroup) {
    const { group } = found;
    this.#group = group;
    this.#claimant = { name: group.name };
    const lowers = new Map<string, Layer>();
    for (const { name, uuid } of group.physicalVolumes) {
      const scan = session.memberScan(found, uuid);
      if (scan !== null) lowers.set(name, new DeviceLayer(session.deviceOf(scan)));
    }
    this.#lowers = lowers;
  }

  /** Throws `CEV_NOT_SUPPORTED` for a volume of another kind, and `CEV_DEGRADED` where it lies on what is missing. */
  of(volume: LogicalVolume): Layer {
    const segments = new SegmentMap(volume.segments.map((segment) => this.#map(volume, segment)));
    return new VolumeLayer({
      name: `${this.#group.name}/${volume.name}`,
      segments,
      isReadOnly: false,
      claimant: this.#claimant,
      description: { options: { group: this.#group.name, volumes: [volume.name] }, lowers: [] },
    });
  }

  #map(volume: LogicalVolume, { mapping, type, startExtent, extentCount }: Segment): MappedSegment {
    const { extentSize } = this.#group;
    if (mapping.kind !== "striped")
      throw new CevError("CEV_NOT_SUPPORTED", `${volume.name} is of the type ${type}`, {
        hint: "use LVM2 itself for this volume",
      });
    return {
      start: startExtent * extentSize,
      length: extentCount * extentSize,
      stripeSize: mapping.stripeSize,
      areas: mapping.areas.map((area) => {
        if (area.kind !== "physical")
          throw new CevError("CEV_NOT_SUPPORTED", `${volume.name} lies on another volume`, {
            hint: "use LVM2 itself for this volume",
          });
        const { physicalVolume } = area;
        const lower = this.#lowers.get(physicalVolume.name);
        if (lower === undefined)
          throw new CevError("CEV_DEGRADED", `the physical volume ${physicalVolume.uuid} is missing`);
        return { lower, start: physicalVolume.dataOffset + area.startExtent * extentSize };
      }),
    };
  }
}

import type { Area } from "../model/mappings.ts";
import type { LogicalVolume } from "../model/group.ts";
import type { GroupParts } from "./group-parts.ts";

/** What a volume lacks. */
export interface Lack {
  /** UUIDs of physical volumes that are missing and that it cannot do without. */
  readonly uuids: readonly string[];
  /** Some of it is there. */
  readonly isPartial: boolean;
}

/** Which physical volumes each volume of a group lacks. */
export class MissingParts {
  readonly #parts: GroupParts;
  readonly #known = new Map<LogicalVolume, Lack>();

  constructor(parts: GroupParts) {
    this.#parts = parts;
  }

  /** Null: it has all that it needs. */
  of(volume: LogicalVolume): Lack | null {
    let lack = this.#known.get(volume);
    if (lack === undefined) {
      // Volumes that are made of one another are refused where they are put together.
      this.#known.set(volume, { uuids: [], isPartial: false });
      lack = this.#find(volume);
      this.#known.set(volume, lack);
    }
    return lack.uuids.length === 0 ? null : lack;
  }

  /** The same of a volume by its name; one that does not exist lacks nothing, and is refused elsewhere. */
  ofName(name: string): Lack | null {
    const volume = this.#parts.volumes.get(name);
    return volume === undefined ? null : this.of(volume);
  }

  /** The same of one run of extents. */
  ofArea(area: Area): Lack | null {
    if (area.kind === "logical") return this.ofName(area.volume);
    const { name, uuid } = area.physicalVolume;
    return this.#parts.physical.has(name) ? null : { uuids: [uuid], isPartial: false };
  }

  #find(volume: LogicalVolume): Lack {
    const uuids = new Set<string>();
    let isPartial = false;
    for (const lack of volume.segments.flatMap(({ mapping }) => this.#ofMapping(mapping))) {
      for (const uuid of lack?.uuids ?? []) uuids.add(uuid);
      isPartial ||= lack === null || lack.isPartial;
    }
    return { uuids: [...uuids], isPartial };
  }

  /** For each thing that a segment needs what it lacks. Of copies it needs one; how many of a RAID, its engine knows. */
  #ofMapping(mapping: LogicalVolume["segments"][number]["mapping"]): (Lack | null)[] {
    switch (mapping.kind) {
      case "striped":
        return mapping.areas.map((area) => this.ofArea(area));
      case "mirror": {
        const lacks = mapping.images.map((area) => this.ofArea(area));
        return lacks.includes(null) ? [null] : lacks;
      }
      case "raid":
        return [null];
      case "snapshot":
        return [this.ofName(mapping.store), this.ofName(mapping.origin)];
      case "thin-pool":
        return [this.ofName(mapping.metadata), this.ofName(mapping.data)];
      case "thin":
        return [
          this.ofName(mapping.pool),
          mapping.externalOrigin === null ? null : this.ofName(mapping.externalOrigin),
        ];
      case "error":
      case "zero":
      case "unknown":
        return [null];
    }
  }
}

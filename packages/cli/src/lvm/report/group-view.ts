import type {
  Area,
  AssembledGroup,
  ConfigSection,
  LogicalVolume,
  Member,
  PhysicalVolume,
  PvScan,
  Segment,
  SnapshotMapping,
  VolumeGroup,
} from "@cev/lvm";

/** What a hidden volume is to the one that is made of it. */
export type Part =
  | "mirror image"
  | "mirror log"
  | "raid image"
  | "raid metadata"
  | "pool data"
  | "pool metadata"
  | "integrity metadata"
  | "cached origin";

/** A volume that another is made of. */
export interface PartOf {
  readonly part: Part;
  readonly owner: LogicalVolume;
}

/** A run of extents of a physical volume: of one area of a segment, or free. */
export interface Run {
  readonly startExtent: number;
  readonly extentCount: number;
  /** Null: free. */
  readonly use: { readonly volume: LogicalVolume; readonly segment: Segment } | null;
}

/** A device with a physical volume on it, as it was found. */
export interface FoundPv {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly scan: PvScan;
}

/** A physical volume of a group or of none. */
export interface PvView {
  /** Null: it was not found. */
  readonly found: FoundPv | null;
  /** Null: it belongs to no group that was found. */
  readonly physicalVolume: PhysicalVolume | null;
  readonly group: GroupView | null;
  readonly state: Member["state"];
}

/** What a device is called that was not found. */
export const UNKNOWN_NAME = "[unknown]";

/** A group with what its parts are to each other, as reports need it. */
export class GroupView {
  readonly group: VolumeGroup;
  /** Its name, and where another one here has that too, what tells them apart. */
  readonly displayName: string;
  readonly pvs: readonly PvView[];
  readonly #volumes: ReadonlyMap<string, LogicalVolume>;
  readonly #parts = new Map<string, PartOf>();
  /** By the name of the volume with the store. */
  readonly #snapshots = new Map<string, SnapshotMapping>();
  /** By the name of the origin. */
  readonly #snapshotCounts = new Map<string, number>();
  readonly #mergingOrigins = new Set<string>();
  readonly #thinSnapshotCounts = new Map<string, number>();
  readonly #externalCounts = new Map<string, number>();
  readonly #thinCounts = new Map<string, number>();
  readonly #runs = new Map<string, Run[]>();
  readonly #deviceNames = new Map<string, string>();

  constructor({ group, members, displayName }: AssembledGroup, found: readonly FoundPv[]) {
    this.group = group;
    this.displayName = displayName;
    this.#volumes = new Map(group.logicalVolumes.map((volume) => [volume.name, volume]));
    this.pvs = members.map(({ physicalVolume, scanIndex, state }) => ({
      found: scanIndex === null ? null : found[scanIndex]!,
      physicalVolume,
      group: this,
      state,
    }));
    for (const pv of this.pvs) this.#deviceNames.set(pv.physicalVolume!.name, pv.found?.name ?? UNKNOWN_NAME);
    for (const volume of group.logicalVolumes)
      for (const segment of volume.segments) this.#note(volume, segment);
    this.#sortRuns();
  }

  volume(name: string): LogicalVolume | null {
    return this.#volumes.get(name) ?? null;
  }

  /** What the user calls a physical volume. */
  deviceName(volume: PhysicalVolume): string {
    return this.#deviceNames.get(volume.name) ?? UNKNOWN_NAME;
  }

  /** What a volume is to another; null: it stands for itself. */
  partOf(name: string): PartOf | null {
    return this.#parts.get(name) ?? null;
  }

  /** The snapshot whose store a volume is; null: it is none. */
  snapshotOn(name: string): SnapshotMapping | null {
    return this.#snapshots.get(name) ?? null;
  }

  /** How many classic snapshots a volume is the origin of. */
  snapshotCount(name: string): number {
    return this.#snapshotCounts.get(name) ?? 0;
  }

  thinSnapshotCount(name: string): number {
    return this.#thinSnapshotCounts.get(name) ?? 0;
  }

  /** How many thin volumes show what this one holds where they were never written. */
  externalCount(name: string): number {
    return this.#externalCounts.get(name) ?? 0;
  }

  thinCount(pool: string): number {
    return this.#thinCounts.get(pool) ?? 0;
  }

  /** A snapshot is being merged into it. */
  isMergingOrigin(name: string): boolean {
    return this.#mergingOrigins.has(name);
  }

  /** Shown without brackets and without being asked for. */
  isVisible(volume: LogicalVolume): boolean {
    if (isSnapshotLink(volume)) return false;
    const snapshot = this.snapshotOn(volume.name);
    if (snapshot === null) return volume.isVisible;
    const origin = this.volume(snapshot.origin);
    return !snapshot.isMerging && (origin === null || origin.isVisible);
  }

  /** Volumes that LVM2 lists, hidden ones among them: what ties a snapshot to its store is none. */
  get listed(): readonly LogicalVolume[] {
    return this.group.logicalVolumes.filter((volume) => !isSnapshotLink(volume));
  }

  /** All extents of a physical volume in their order. */
  runs(volume: PhysicalVolume): readonly Run[] {
    return this.#runs.get(volume.name) ?? [];
  }

  usedExtents(volume: PhysicalVolume): number {
    return this.runs(volume).reduce((sum, { use, extentCount }) => sum + (use === null ? 0 : extentCount), 0);
  }

  /** True where an extent of it, or of what it is made of, lies on a physical volume that was not found. */
  isPartial(volume: LogicalVolume, seen: ReadonlySet<string> = new Set()): boolean {
    if (seen.has(volume.name)) return false;
    const deeper = new Set([...seen, volume.name]);
    const isLowerPartial = (name: string): boolean => {
      const lower = this.volume(name);
      return lower !== null && this.isPartial(lower, deeper);
    };
    return volume.segments.some(
      (segment) =>
        areasOf(segment).some((area) =>
          area.kind === "physical" ? this.#isMissing(area.physicalVolume) : isLowerPartial(area.volume),
        ) || besides(segment).some(isLowerPartial),
    );
  }

  #isMissing({ name }: PhysicalVolume): boolean {
    return this.pvs.some(({ physicalVolume, state }) => physicalVolume!.name === name && state !== "present");
  }

  #note(volume: LogicalVolume, segment: Segment): void {
    const { mapping, section, type } = segment;
    const owns = (name: string | null, part: Part): void => {
      if (name !== null && name !== volume.name) this.#parts.set(name, { part, owner: volume });
    };
    switch (mapping.kind) {
      case "mirror":
        for (const image of mapping.images) if (image.kind === "logical") owns(image.volume, "mirror image");
        owns(mapping.log, "mirror log");
        break;
      case "raid":
        for (const { data, meta } of mapping.members) {
          owns(data, "raid image");
          owns(meta, "raid metadata");
        }
        break;
      case "snapshot":
        this.#snapshots.set(mapping.store, mapping);
        count(this.#snapshotCounts, mapping.origin);
        if (mapping.isMerging) this.#mergingOrigins.add(mapping.origin);
        break;
      case "thin-pool":
        owns(mapping.data, "pool data");
        owns(mapping.metadata, "pool metadata");
        break;
      case "thin":
        count(this.#thinCounts, mapping.pool);
        if (mapping.origin !== null) count(this.#thinSnapshotCounts, mapping.origin);
        if (mapping.externalOrigin !== null) count(this.#externalCounts, mapping.externalOrigin);
        if (mapping.merge !== null) this.#mergingOrigins.add(mapping.merge);
        break;
      case "unknown":
        if (type === "cache-pool") {
          owns(stringIn(section, "data"), "pool data");
          owns(stringIn(section, "metadata"), "pool metadata");
        }
        if (type === "cache" || type === "writecache") owns(stringIn(section, "origin"), "cached origin");
        if (type === "vdo-pool") owns(stringIn(section, "data"), "pool data");
        if (type === "integrity") owns(stringIn(section, "meta_dev"), "integrity metadata");
        break;
      default:
        break;
    }
    for (const area of areasOf(segment)) {
      if (area.kind !== "physical") continue;
      const { name } = area.physicalVolume;
      const runs = this.#runs.get(name) ?? [];
      runs.push({ startExtent: area.startExtent, extentCount: area.extentCount, use: { volume, segment } });
      this.#runs.set(name, runs);
    }
  }

  /** Brings the runs of each physical volume in order, and puts those between that are free. */
  #sortRuns(): void {
    for (const { physicalVolume } of this.pvs) {
      const { name, extentCount } = physicalVolume!;
      const used = (this.#runs.get(name) ?? []).toSorted((a, b) => a.startExtent - b.startExtent);
      const all: Run[] = [];
      let end = 0;
      for (const run of used) {
        if (run.startExtent > end)
          all.push({ startExtent: end, extentCount: run.startExtent - end, use: null });
        all.push(run);
        end = run.startExtent + run.extentCount;
      }
      if (end < extentCount) all.push({ startExtent: end, extentCount: extentCount - end, use: null });
      this.#runs.set(name, all);
    }
  }
}

/** What a segment lies on, as far as LVM2 counts it as such: a snapshot's origin and store are not. */
export function areasOf({ mapping, extentCount }: Segment): readonly Area[] {
  const whole = (volume: string): Area => ({ kind: "logical", volume, startExtent: 0, extentCount });
  switch (mapping.kind) {
    case "striped":
      return mapping.areas;
    case "mirror":
      return mapping.images;
    case "raid":
      return mapping.members.map(({ data }) => whole(data));
    case "thin-pool":
      return [whole(mapping.data)];
    default:
      return [];
  }
}

/** Names of volumes that a segment needs besides. */
function besides({ mapping }: Segment): readonly string[] {
  switch (mapping.kind) {
    case "mirror":
      return mapping.log === null ? [] : [mapping.log];
    case "raid":
      return mapping.members.flatMap(({ meta }) => (meta === null ? [] : [meta]));
    case "thin-pool":
      return [mapping.metadata];
    case "thin":
      return mapping.externalOrigin === null ? [mapping.pool] : [mapping.pool, mapping.externalOrigin];
    default:
      return [];
  }
}

/** A volume that ties a snapshot's store to its origin, and holds nothing. */
export function isSnapshotLink({ segments }: LogicalVolume): boolean {
  return segments[0]?.mapping.kind === "snapshot";
}

/** A string of a section that has no place of its own in the model; null: it is not there. */
export function stringIn(section: ConfigSection | null, key: string): string | null {
  const value = section?.entries.get(key)?.value;
  return typeof value === "string" ? value : null;
}

/** The same for numbers. */
export function numberIn(section: ConfigSection | null, key: string): number | null {
  const value = section?.entries.get(key)?.value;
  return typeof value === "number" ? value : null;
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

import { CevError } from "@cev/core";
import type { LogicalVolume, VolumeGroup } from "../model/group.ts";
import type { Mapping, SnapshotMapping } from "../model/mappings.ts";
import { show } from "../text/parser.ts";
import { isList, isSection } from "../text/writer.ts";
import type { Segment } from "../model/segments.ts";

/** A classic snapshot: the volume LVM2 made up for it, and the store, whose name is the snapshot's. */
export interface SnapshotPair {
  /** `snapshot0`. */
  readonly link: LogicalVolume;
  readonly mapping: SnapshotMapping;
}

/** The volumes a mapping is made of, which belong to it alone, by name. */
export function partsOf(mapping: Mapping): readonly string[] {
  switch (mapping.kind) {
    case "striped":
      return mapping.areas.flatMap((area) => (area.kind === "logical" ? [area.volume] : []));
    case "mirror":
      return [
        ...mapping.images.flatMap((area) => (area.kind === "logical" ? [area.volume] : [])),
        ...(mapping.log === null ? [] : [mapping.log]),
      ];
    case "raid":
      return mapping.members.flatMap(({ meta, data }) => (meta === null ? [data] : [meta, data]));
    case "thin-pool":
      return [mapping.metadata, mapping.data];
    case "snapshot":
    case "thin":
    case "error":
    case "zero":
    case "unknown":
      return [];
  }
}

/** The mapping with every volume's name replaced. A mapping that is not understood has no names here. */
export function renameInMapping(mapping: Mapping, rename: (name: string) => string): Mapping {
  const optional = (name: string | null): string | null => (name === null ? null : rename(name));
  switch (mapping.kind) {
    case "striped":
      return { ...mapping, areas: mapping.areas.map((area) => renameArea(area, rename)) };
    case "mirror":
      return {
        ...mapping,
        images: mapping.images.map((area) => renameArea(area, rename)),
        log: optional(mapping.log),
      };
    case "raid":
      return {
        ...mapping,
        members: mapping.members.map(({ meta, data }) => ({ meta: optional(meta), data: rename(data) })),
      };
    case "snapshot":
      return { ...mapping, origin: rename(mapping.origin), store: rename(mapping.store) };
    case "thin-pool":
      return { ...mapping, metadata: rename(mapping.metadata), data: rename(mapping.data) };
    case "thin":
      return {
        ...mapping,
        pool: rename(mapping.pool),
        origin: optional(mapping.origin),
        externalOrigin: optional(mapping.externalOrigin),
        merge: optional(mapping.merge),
      };
    case "error":
    case "zero":
    case "unknown":
      return mapping;
  }
}

function renameArea<One extends { readonly kind: string }>(area: One, rename: (name: string) => string): One {
  return "volume" in area && typeof area.volume === "string"
    ? { ...area, volume: rename(area.volume) }
    : area;
}

/** How the volumes of a group hang together. */
export class VolumeTree {
  readonly group: VolumeGroup;
  readonly #byName: ReadonlyMap<string, LogicalVolume>;
  /** By the name of a part: whose part it is. */
  readonly #owners = new Map<string, LogicalVolume>();
  readonly #links = new Map<LogicalVolume, SnapshotPair>();
  readonly #byStore = new Map<string, SnapshotPair>();
  readonly #byOrigin = new Map<string, SnapshotPair[]>();
  /** By name of the pool or of the external origin. */
  readonly #thinUsers = new Map<string, LogicalVolume[]>();
  /** By a name in a segment that is not understood. */
  readonly #unknownUsers = new Map<unknown, UnknownUser>();

  constructor(group: VolumeGroup) {
    this.group = group;
    this.#byName = new Map(group.logicalVolumes.map((volume) => [volume.name, volume]));
    for (const volume of group.logicalVolumes)
      for (const segment of volume.segments) this.#note(volume, segment);
  }

  #note(volume: LogicalVolume, segment: Segment): void {
    const { mapping } = segment;
    for (const part of partsOf(mapping)) this.#owners.set(part, volume);
    switch (mapping.kind) {
      case "snapshot": {
        const pair = { link: volume, mapping };
        this.#links.set(volume, pair);
        this.#byStore.set(mapping.store, pair);
        push(this.#byOrigin, mapping.origin, pair);
        break;
      }
      case "thin":
        push(this.#thinUsers, mapping.pool, volume);
        if (mapping.externalOrigin !== null) push(this.#thinUsers, mapping.externalOrigin, volume);
        break;
      case "unknown":
        for (const name of namesIn(segment))
          if (name !== volume.name) this.#unknownUsers.set(name, { volume, reason: mapping.reason });
        break;
      case "striped":
      case "mirror":
      case "raid":
      case "thin-pool":
      case "error":
      case "zero":
        break;
    }
  }

  /** A volume that users know by this name. Throws `CEV_NOT_FOUND`, and `CEV_INVALID` for one that is a part of another. */
  find(name: string): LogicalVolume {
    const volume = this.#byName.get(name);
    if (volume === undefined || this.linkOf(volume) !== null)
      throw new CevError("CEV_NOT_FOUND", `there is no logical volume ${show(name)} in ${this.group.name}`);
    const owner = this.#owners.get(name);
    if (owner !== undefined)
      throw new CevError("CEV_INVALID", `${name} is a part of ${owner.name}`, {
        hint: `name ${owner.name} instead`,
      });
    if (!volume.isVisible && this.snapshotOf(name) === null)
      throw new CevError("CEV_INVALID", `${name} is a hidden volume that LVM2 keeps for itself`);
    const user = this.unknownUserOf(name);
    if (user !== null)
      throw new CevError(
        "CEV_UNKNOWN_FEATURE",
        `${name} is used by ${user.volume.name}, which ${user.reason}`,
        { hint: "use LVM2 itself on this volume" },
      );
    return volume;
  }

  /** By name, hidden ones too. */
  get(name: string): LogicalVolume | null {
    return this.#byName.get(name) ?? null;
  }

  /** What it is a part of. */
  ownerOf(name: string): LogicalVolume | null {
    return this.#owners.get(name) ?? null;
  }

  /** The snapshots of an origin. */
  snapshotsOf(origin: string): readonly SnapshotPair[] {
    return this.#byOrigin.get(origin) ?? [];
  }

  /** The snapshot that a volume is the store of. */
  snapshotOf(store: string): SnapshotPair | null {
    return this.#byStore.get(store) ?? null;
  }

  /** Not null for a volume that LVM2 made up for a snapshot. */
  linkOf(volume: LogicalVolume): SnapshotPair | null {
    return this.#links.get(volume) ?? null;
  }

  /** Thin volumes that lie in a pool, or that this volume is the external origin of. */
  thinUsersOf(name: string): readonly LogicalVolume[] {
    return this.#thinUsers.get(name) ?? [];
  }

  /** A volume with all its parts, theirs and so on. */
  withParts(
    volume: LogicalVolume,
    found: Set<LogicalVolume> = new Set<LogicalVolume>(),
  ): ReadonlySet<LogicalVolume> {
    if (found.has(volume)) return found;
    found.add(volume);
    for (const { mapping } of volume.segments)
      for (const name of partsOf(mapping)) {
        const part = this.#byName.get(name);
        if (part !== undefined) this.withParts(part, found);
      }
    return found;
  }

  /** A volume with a segment that is not understood and names this one; null: none. */
  unknownUserOf(name: string): UnknownUser | null {
    return this.#unknownUsers.get(name) ?? null;
  }
}

/** A volume with a segment that is not understood, and what that is. */
interface UnknownUser {
  readonly volume: LogicalVolume;
  readonly reason: string;
}

function push<Value>(lists: Map<string, Value[]>, key: string, value: Value): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

function namesIn(segment: Segment): readonly unknown[] {
  return [...segment.section.entries.values()].flatMap(({ value }) => {
    if (isSection(value)) return [];
    return isList(value) ? value : [value];
  });
}

import { TextError, show } from "../text/parser.ts";
import type { LogicalVolume, VolumeGroup } from "./group.ts";
import type { Area, RaidMapping } from "./mappings.ts";
import type { Segment } from "./segments.ts";

/** A volume that a segment names. */
interface Reference {
  readonly name: string;
  /** The least extents it must have. */
  readonly extentCount: number;
  /** It is a part of that segment alone. */
  readonly isExclusive: boolean;
  /** What is read through the segment is read from there: such references may not go round in a circle. */
  readonly isLower: boolean;
}

/**
 * Checks what volumes say about one another: that those they name are there and large enough, that what is a part of one
 * volume is not a part of another, and that no volume lies on itself. Throws a `TextError` with the place of the segment.
 */
export function checkReferences(group: VolumeGroup, text: string): void {
  const volumes = new Map(group.logicalVolumes.map((volume) => [volume.name, volume]));
  const owners = new Map<string, LogicalVolume>();
  const lowers = new Map<LogicalVolume, LogicalVolume[]>();
  for (const volume of group.logicalVolumes) {
    for (const segment of volume.segments) {
      const fail = (message: string): never => {
        throw new TextError(text, segment.section.offset, `${show(volume.name)} ${message}`);
      };
      for (const { name, extentCount, isExclusive, isLower } of referencesOf(segment)) {
        const other = volumes.get(name) ?? fail(`names ${show(name)}, which is no volume of the group`);
        if (other.extentCount < extentCount)
          fail(`needs ${extentCount} extents of ${show(name)}, which has ${other.extentCount}`);
        if (isExclusive) {
          const owner = owners.get(name);
          if (owner !== undefined)
            fail(`has ${show(name)} for a part, which is a part of ${show(owner.name)} already`);
          owners.set(name, volume);
        }
        if (isLower) pushTo(lowers, volume, other);
      }
    }
  }
  checkCircles(lowers, text);
}

function pushTo<Key, Value>(map: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

function referencesOf({ mapping, type, extentCount, section }: Segment): Reference[] {
  switch (mapping.kind) {
    case "striped":
      return areaReferences(mapping.areas);
    case "mirror":
      return [...areaReferences(mapping.images), ...(mapping.log === null ? [] : [part(mapping.log, 1)])];
    case "raid": {
      // Where LVM2 reshapes, images have room for that beyond what the volume needs.
      const isPlain = mapping.hindrance === null && !section.entries.has("reshape_count");
      const needed = isPlain ? imageExtents(mapping, type, extentCount) : 1;
      return mapping.members.flatMap(({ meta, data }) =>
        meta === null ? [part(data, needed)] : [part(meta, 1), part(data, needed)],
      );
    }
    case "snapshot":
      return [part(mapping.store, 1), lower(mapping.origin, 1)];
    case "thin-pool":
      return [part(mapping.metadata, 1), part(mapping.data, extentCount)];
    case "thin":
      return [
        lower(mapping.pool, 1),
        ...(mapping.externalOrigin === null ? [] : [lower(mapping.externalOrigin, 1)]),
        ...(mapping.origin === null ? [] : [named(mapping.origin)]),
        ...(mapping.merge === null ? [] : [named(mapping.merge)]),
      ];
    case "error":
    case "zero":
    case "unknown":
      return [];
  }
}

function areaReferences(areas: readonly Area[]): Reference[] {
  return areas.flatMap((area) =>
    area.kind === "logical" ? [lower(area.volume, area.startExtent + area.extentCount)] : [],
  );
}

function part(name: string, extentCount: number): Reference {
  return { name, extentCount, isExclusive: true, isLower: true };
}

function lower(name: string, extentCount: number): Reference {
  return { name, extentCount, isExclusive: false, isLower: true };
}

function named(name: string): Reference {
  return { name, extentCount: 0, isExclusive: false, isLower: false };
}

/** The least extents that each member's data take. */
function imageExtents({ members, copyCount }: RaidMapping, type: string, extentCount: number): number {
  const count = members.length;
  if (type === "raid1") return extentCount;
  if (type.startsWith("raid10")) return Math.ceil((extentCount * Math.max(copyCount, 2)) / count);
  return Math.ceil(extentCount / Math.max(1, count - parityCount(type)));
}

function parityCount(type: string): number {
  if (type.startsWith("raid6")) return 2;
  return type.startsWith("raid4") || type.startsWith("raid5") ? 1 : 0;
}

/** Throws where a volume lies on itself, through however many others. */
function checkCircles(lowers: ReadonlyMap<LogicalVolume, readonly LogicalVolume[]>, text: string): void {
  const done = new Set<LogicalVolume>();
  for (const start of lowers.keys()) {
    if (done.has(start)) continue;
    // Depth first with a stack of its own: a chain may be as long as the text allows.
    const path = [{ volume: start, next: 0 }];
    const onPath = new Set([start]);
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const below = lowers.get(top.volume)?.[top.next++];
      if (below === undefined) {
        path.pop();
        onPath.delete(top.volume);
        done.add(top.volume);
        continue;
      }
      if (onPath.has(below))
        throw new TextError(text, below.section?.offset ?? 0, `${show(below.name)} lies on itself`);
      if (done.has(below)) continue;
      path.push({ volume: below, next: 0 });
      onPath.add(below);
    }
  }
}

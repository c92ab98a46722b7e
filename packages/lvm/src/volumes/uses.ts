import type { LogicalVolume, VolumeGroup } from "../model/group.ts";
import type { Segment } from "../model/segments.ts";

/** How one volume uses another. */
export interface Use {
  /** The one that uses. */
  readonly volume: LogicalVolume;
  /** Of its segment. */
  readonly type: string;
  /**
   * `part`: it is made of it, and only it may touch it. `origin`: a snapshot of it. `merging`: one that is being merged into
   * it. `external`: a thin volume shows it where it was not written itself.
   */
  readonly kind: "part" | "origin" | "merging" | "external";
}

/** Which volumes of a group use which, by the name of the one that is used. */
export function usesOf(group: VolumeGroup): ReadonlyMap<string, readonly Use[]> {
  const uses = new Map<string, Use[]>();
  for (const volume of group.logicalVolumes) {
    for (const segment of volume.segments) {
      for (const [name, kind] of namesIn(segment)) {
        if (name === volume.name) continue;
        const use = { volume, type: segment.type, kind };
        const list = uses.get(name);
        if (list === undefined) uses.set(name, [use]);
        else if (!list.some((one) => one.volume === volume && one.kind === kind)) list.push(use);
      }
    }
  }
  return uses;
}

function namesIn({ mapping, section }: Segment): [name: string, kind: Use["kind"]][] {
  switch (mapping.kind) {
    case "striped":
      return mapping.areas.flatMap((area) => (area.kind === "logical" ? [part(area.volume)] : []));
    case "mirror":
      return [
        ...mapping.images.flatMap((area) => (area.kind === "logical" ? [part(area.volume)] : [])),
        ...(mapping.log === null ? [] : [part(mapping.log)]),
      ];
    case "raid":
      return mapping.members.flatMap(({ meta, data }) =>
        meta === null ? [part(data)] : [part(meta), part(data)],
      );
    case "snapshot":
      return [part(mapping.store), [mapping.origin, mapping.isMerging ? "merging" : "origin"]];
    case "thin-pool":
      return [part(mapping.metadata), part(mapping.data)];
    case "thin":
      return [
        ...(mapping.externalOrigin === null ? [] : [[mapping.externalOrigin, "external"] as const]),
        ...(mapping.merge === null ? [] : [[mapping.merge, "merging"] as const]),
      ].map(([name, kind]): [string, Use["kind"]] => [name, kind]);
    case "unknown":
      return stringsIn(section).map(part);
    case "error":
    case "zero":
      return [];
  }
}

function part(name: string): [string, "part"] {
  return [name, "part"];
}

/** All strings of a segment that is not understood: whatever volume is named there may be a part of it. */
function stringsIn(section: Segment["section"]): string[] {
  return [...(section?.entries.values() ?? [])].flatMap(({ value }) =>
    (Array.isArray(value) ? value : [value]).filter((item): item is string => typeof item === "string"),
  );
}

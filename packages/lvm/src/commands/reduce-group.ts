import { CevError } from "@cev/core";
import { physicalAreasOf } from "../allocate/free-space.ts";
import type { LogicalVolume, PhysicalVolume, VolumeGroup } from "../model/group.ts";
import { plainChange, refuse } from "./change.ts";
import type { GroupChange } from "./change.ts";
import { checkResizeable, usedCount } from "./change-group.ts";
import { removeVolumes } from "./remove-volume.ts";
import { VolumeTree } from "./volume-tree.ts";

/** `vgreduce`: physical volumes without extents in use leave the group. Throws `CEV_BUSY` and `CEV_INVALID`. */
export function reduceGroup(group: VolumeGroup, volumes: readonly PhysicalVolume[]): GroupChange {
  checkResizeable(group);
  for (const volume of volumes) {
    const used = usedCount(group, volume);
    if (used > 0)
      throw new CevError(
        "CEV_BUSY",
        `the physical volume ${volume.deviceHint} is still in use: ${used} extents of it`,
        {
          hint: "remove or copy the volumes that lie on it first",
        },
      );
  }
  if (volumes.length === 0) refuse("no physical volume is named");
  return plainChange(
    withoutMembers(group, volumes),
    volumes.map(({ deviceHint }) => `Removed "${deviceHint}" from volume group "${group.name}"`),
  );
}

/** The physical volumes that hold no extent of a volume, but one of them where all are empty. */
export function emptyMembers(group: VolumeGroup): readonly PhysicalVolume[] {
  const empty = group.physicalVolumes.filter((volume) => usedCount(group, volume) === 0);
  return empty.length === group.physicalVolumes.length ? empty.slice(1) : empty;
}

function withoutMembers(group: VolumeGroup, volumes: readonly PhysicalVolume[]): VolumeGroup {
  const gone = new Set(volumes.map(({ name }) => name));
  const physicalVolumes = group.physicalVolumes.filter(({ name }) => !gone.has(name));
  if (physicalVolumes.length === 0)
    refuse(`the volume group ${group.name} would have no physical volume left`, "see vgremove");
  return { ...group, physicalVolumes };
}

/**
 * `vgreduce --removemissing`: missing physical volumes leave the group. Volumes that lie on them are removed by force, else their
 * physical volumes stay. Throws `CEV_INVALID` where nothing is missing.
 */
export function removeMissing(
  group: VolumeGroup,
  missing: readonly PhysicalVolume[],
  isForced: boolean,
): GroupChange {
  if (missing.length === 0) refuse(`no physical volume of the volume group ${group.name} is missing`);
  const names = new Set(missing.map(({ name }) => name));
  const tree = new VolumeTree(group);
  const partial = partialVolumes(tree, names, isForced);
  if (!isForced) {
    const empty = missing.filter((volume) => usedCount(group, volume) === 0);
    if (empty.length === 0)
      throw new CevError(
        "CEV_DEGRADED",
        `volumes lie on what is missing: ${partial.map(({ name }) => name).join(", ")}`,
        { hint: "repair or remove them; force removes them" },
      );
    return plainChange(
      withoutMembers(group, empty),
      empty.map((volume) => removedMissing(group, volume)),
      partial.map(({ name }) => `the partial logical volume ${name} needs to be repaired or removed`),
    );
  }
  const { group: rest, messages } =
    partial.length === 0
      ? { group, messages: [] }
      : removeVolumes(group, {
          command: "lvremove",
          volumes: partial.map((volume) => userName(tree, volume)),
          force: true,
        });
  return plainChange(withoutMembers(rest, missing), [
    ...messages,
    ...missing.map((volume) => removedMissing(group, volume)),
  ]);
}

function removedMissing(group: VolumeGroup, { uuid }: PhysicalVolume): string {
  return `Removed missing physical volume ${uuid} from volume group "${group.name}"`;
}

/**
 * The volumes users see that lie on missing physical volumes. A volume with redundancy is worth more than to be removed unasked:
 * by force
 * that is refused.
 */
function partialVolumes(
  tree: VolumeTree,
  missing: ReadonlySet<string>,
  isForced: boolean,
): readonly LogicalVolume[] {
  const found = new Set<LogicalVolume>();
  for (const volume of tree.group.logicalVolumes) {
    if (!physicalAreasOf(volume).some(({ physicalVolume }) => missing.has(physicalVolume.name))) continue;
    let top = volume;
    for (let owner = tree.ownerOf(top.name); owner !== null; owner = tree.ownerOf(top.name)) top = owner;
    const redundant = top.segments.find(
      ({ mapping }) => mapping.kind === "raid" || mapping.kind === "mirror",
    );
    if (isForced && redundant !== undefined)
      throw new CevError(
        "CEV_NOT_SUPPORTED",
        `${top.name} (${redundant.type}) lies on what is missing, and has its redundancy for that`,
        { hint: "repair it with LVM2 (lvconvert --repair), or remove it by name with lvremove" },
      );
    found.add(top);
  }
  return [...found];
}

/** A volume whose name stands in the request. */
function userName(tree: VolumeTree, volume: LogicalVolume): string {
  return tree.linkOf(volume)?.mapping.store ?? volume.name;
}

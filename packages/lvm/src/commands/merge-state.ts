import type { VolumeGroup } from "../model/group.ts";
import type { SnapshotMapping } from "../model/mappings.ts";
import { plainChange, refuse, withSegments, withStatus, withVolume } from "./change.ts";
import type { GroupChange } from "./change.ts";
import type { SnapshotPair, VolumeTree } from "./volume-tree.ts";

/** The snapshot whose store has this name. Throws `CEV_INVALID`, and `CEV_NOT_FOUND`. */
export function findSnapshot(tree: VolumeTree, name: string): SnapshotPair {
  const pair = tree.snapshotOf(name);
  if (pair === null) {
    tree.find(name);
    return refuse(`${name} is no snapshot`);
  }
  const other = tree
    .snapshotsOf(pair.mapping.origin)
    .find(({ mapping }) => mapping.isMerging && mapping.store !== name);
  if (other !== undefined)
    refuse(`${other.mapping.store} is being merged into ${pair.mapping.origin}`, "finish that first");
  return pair;
}

/** From now on the origin is to be read through the store, as LVM2 says it: `merging_store`, and the link is hidden. */
export function beginMerge(group: VolumeGroup, { link, mapping }: SnapshotPair): GroupChange {
  const merging: SnapshotMapping = { ...mapping, isMerging: true };
  const hidden = withStatus(
    withSegments(
      link,
      link.segments.map((segment) => ({ ...segment, mapping: merging })),
    ),
    link.status.filter((flag) => flag !== "VISIBLE"),
  );
  return plainChange(withVolume(group, hidden), [
    `Merging of volume ${group.name}/${mapping.store} started.`,
  ]);
}

/** The store is empty: the snapshot is gone. */
export function endMerge(group: VolumeGroup, { link, mapping }: SnapshotPair): GroupChange {
  const logicalVolumes = group.logicalVolumes.filter(
    ({ name }) => name !== link.name && name !== mapping.store,
  );
  return plainChange({ ...group, logicalVolumes }, [
    `Merge of snapshot into logical volume ${group.name}/${mapping.origin} has finished.`,
    `Logical volume "${mapping.store}" successfully removed.`,
  ]);
}

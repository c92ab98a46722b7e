import { CevError } from "@cev/core";
import type { LogicalVolume, VolumeGroup } from "../model/group.ts";
import { plainChange } from "./change.ts";
import type { GroupChange } from "./change.ts";
import type { LvRemoveRequest } from "./request.ts";
import { VolumeTree } from "./volume-tree.ts";

/** The volume LVM2 keeps to repair the metadata of pools with; it goes with the last of them. */
const SPARE_END = "_pmspare";

/**
 * `lvremove`: volumes with all their parts; of a snapshot its store, of an origin (by force) its snapshots. Throws `CEV_BUSY` for
 * what others stand on, and `CEV_NOT_SUPPORTED` for thin volumes, whose pool must hear of it.
 */
export function removeVolumes(group: VolumeGroup, request: LvRemoveRequest): GroupChange {
  const tree = new VolumeTree(group);
  const isForced = request.force === true;
  const wanted =
    request.volumes.length > 0 ? request.volumes.map((name) => tree.find(name)) : removableVolumes(tree);
  const gone = new Set<LogicalVolume>();
  const messages: string[] = [];
  for (const volume of wanted) collect(tree, volume, { isForced, gone, messages, wanted });
  checkThin(tree, gone);
  const kept = group.logicalVolumes.filter((volume) => !gone.has(volume));
  const isNeeded = kept.some(isAnyPool) || !group.logicalVolumes.some(isAnyPool);
  const left = isNeeded ? kept : kept.filter(({ name }) => !name.endsWith(SPARE_END));
  return plainChange({ ...group, logicalVolumes: left }, messages);
}

/** All that users see and that is no part of another. */
function removableVolumes(tree: VolumeTree): readonly LogicalVolume[] {
  return tree.group.logicalVolumes.filter(
    (volume) =>
      tree.linkOf(volume) === null &&
      tree.ownerOf(volume.name) === null &&
      (volume.isVisible || tree.snapshotOf(volume.name) !== null),
  );
}

interface Removal {
  readonly isForced: boolean;
  readonly gone: Set<LogicalVolume>;
  readonly messages: string[];
  /** All that is removed by name. */
  readonly wanted: readonly LogicalVolume[];
}

function collect(tree: VolumeTree, volume: LogicalVolume, removal: Removal): void {
  const { isForced, gone, messages, wanted } = removal;
  if (gone.has(volume)) return;
  const { name } = volume;
  const parts = tree.withParts(volume);
  for (const part of parts)
    for (const { mapping } of part.segments)
      if (mapping.kind === "unknown")
        throw new CevError("CEV_UNKNOWN_FEATURE", `${part.name} ${mapping.reason}`, {
          hint: "use LVM2 itself to remove it",
        });
  const own = tree.snapshotOf(name);
  if (own !== null) {
    const origin = tree.get(own.mapping.origin);
    const originGoes = origin !== null && (wanted.includes(origin) || gone.has(origin));
    if (own.mapping.isMerging && !originGoes)
      throw new CevError("CEV_BUSY", `${name} is being merged into ${own.mapping.origin}`, {
        hint: "finish that first, with lvconvert --merge",
      });
    gone.add(own.link);
  }
  for (const { mapping } of tree.snapshotsOf(name)) {
    const store = tree.get(mapping.store);
    if (store === null) continue;
    if (!isForced && !wanted.includes(store))
      throw new CevError("CEV_BUSY", `${name} is the origin of the snapshot ${store.name}`, {
        hint: "force removes its snapshots with it",
      });
    gone.add(volume);
    collect(tree, store, removal);
  }
  for (const part of parts) gone.add(part);
  if (isPool(volume) && isForced)
    for (const thin of tree.thinUsersOf(name)) {
      if (gone.has(thin)) continue;
      gone.add(thin);
      messages.push(`Logical volume "${thin.name}" successfully removed.`);
    }
  messages.push(`Logical volume "${name}" successfully removed.`);
}

/** A thin volume goes with its pool or, by LVM2 that tells the pool, alone. */
function checkThin(tree: VolumeTree, gone: ReadonlySet<LogicalVolume>): void {
  for (const volume of gone) {
    for (const { mapping } of volume.segments) {
      if (mapping.kind !== "thin") continue;
      const pool = tree.get(mapping.pool);
      if (pool !== null && gone.has(pool)) continue;
      throw new CevError(
        "CEV_NOT_SUPPORTED",
        `${volume.name} is a thin volume of ${mapping.pool}, whose own metadata must be changed with it`,
        { hint: "use LVM2 itself to remove it, or remove the whole pool" },
      );
    }
    const user = tree.thinUsersOf(volume.name).find((thin) => !gone.has(thin));
    if (user !== undefined)
      throw new CevError("CEV_BUSY", `the thin volume ${user.name} stands on ${volume.name}`, {
        hint: "force removes a pool with its volumes",
      });
  }
}

function isPool({ segments }: LogicalVolume): boolean {
  return segments.some(({ mapping }) => mapping.kind === "thin-pool");
}

/** Also pools that are known by name only. */
function isAnyPool(volume: LogicalVolume): boolean {
  return isPool(volume) || volume.segments.some(({ type }) => type === "cache" || type === "cache-pool");
}

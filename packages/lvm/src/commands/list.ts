import { freeCount, freeRanges, physicalAreasOf } from "../allocate/free-space.ts";
import type { AssembledGroup } from "../assemble/assemble.ts";
import { shownName } from "../assemble/availability.ts";
import { dashUuid } from "../disk/uuid.ts";
import type { LogicalVolume, VolumeGroup } from "../model/group.ts";
import type { CommandRow } from "./context.ts";
import { countVolumes } from "./create-volume.ts";
import type { ListRequest } from "./request.ts";
import type { Session } from "./session.ts";
import { VolumeTree } from "./volume-tree.ts";

/** Rows of `pvs`, `vgs` and `lvs`. Sizes in bytes. */
export function list(session: Session, request: ListRequest): readonly CommandRow[] {
  const groups = request.group === undefined ? session.groups : [session.find(request.group)];
  switch (request.command) {
    case "pvs":
      return [
        ...groups.flatMap((found) => pvRows(session, found)),
        ...(request.group === undefined ? orphanRows(session) : []),
      ];
    case "vgs":
      return groups.map(vgRow);
    case "lvs":
      return groups.flatMap((found) => lvRows(found, session, request.all === true));
  }
}

/** Free extents by name of the physical volume; null where that is not known. */
function freeOf(group: VolumeGroup): ReadonlyMap<string, number> | null {
  try {
    return new Map([...freeRanges(group)].map(([name, ranges]) => [name, freeCount(ranges)]));
  } catch {
    return null;
  }
}

function pvRows(session: Session, found: AssembledGroup): readonly CommandRow[] {
  const { group, members } = found;
  const free = freeOf(group);
  return members.map(({ physicalVolume, state }) => {
    const { uuid, name, extentCount, dataOffset, size, tags, status } = physicalVolume;
    const count = free?.get(name) ?? null;
    return {
      device: session.memberScan(found, uuid)?.source.name ?? null,
      group: group.name,
      uuid,
      size: extentCount * group.extentSize,
      free: count === null ? null : count * group.extentSize,
      deviceSize: size,
      dataOffset,
      extents: extentCount,
      isAllocatable: status.includes("ALLOCATABLE"),
      state,
      tags,
    };
  });
}

function orphanRows(session: Session): readonly CommandRow[] {
  return session.scans
    .filter((scan) => session.ownerOf(scan) === null)
    .map(({ source, label }) => ({
      device: source.name,
      group: null,
      uuid: dashUuid(label.uuid),
      size: label.deviceSize,
      free: label.deviceSize,
      deviceSize: label.deviceSize,
      dataOffset: label.dataAreas[0]?.offset ?? null,
      extents: null,
      isAllocatable: false,
      state: "present",
      tags: [],
    }));
}

function vgRow({ group, members }: AssembledGroup): CommandRow {
  const free = freeOf(group);
  const total = group.physicalVolumes.reduce((sum, { extentCount }) => sum + extentCount, 0);
  const freeTotal = free === null ? null : [...free.values()].reduce((sum, count) => sum + count, 0);
  const snapshots = group.logicalVolumes.filter(({ segments }) =>
    segments.some(({ mapping }) => mapping.kind === "snapshot"),
  );
  return {
    group: group.name,
    uuid: group.uuid,
    seqno: group.seqno,
    physicalVolumes: members.length,
    missing: members.filter(({ state }) => state !== "present").length,
    logicalVolumes: countVolumes(group),
    snapshots: snapshots.length,
    extentSize: group.extentSize,
    extents: total,
    freeExtents: freeTotal,
    size: total * group.extentSize,
    free: freeTotal === null ? null : freeTotal * group.extentSize,
    status: group.status,
    tags: group.tags,
    alloc: group.allocation === "" ? "normal" : group.allocation,
  };
}

function lvRows(found: AssembledGroup, session: Session, all: boolean): readonly CommandRow[] {
  const { group } = found;
  const tree = new VolumeTree(group);
  return group.logicalVolumes
    .filter((volume) => tree.linkOf(volume) === null)
    .filter((volume) => all || volume.isVisible || tree.snapshotOf(volume.name) !== null)
    .map((volume) => lvRow(tree, volume, found, session));
}

function lvRow(tree: VolumeTree, volume: LogicalVolume, found: AssembledGroup, session: Session): CommandRow {
  const { group } = found;
  const snapshot = tree.snapshotOf(volume.name);
  return {
    name: shownName(volume),
    group: group.name,
    uuid: volume.uuid,
    size: volume.extentCount * group.extentSize,
    extents: volume.extentCount,
    types: [...new Set(snapshot === null ? volume.segments.map(typeOf) : ["snapshot"])],
    origin: snapshot?.mapping.origin ?? null,
    isMerging: snapshot?.mapping.isMerging ?? false,
    isHidden: !volume.isVisible && snapshot === null,
    isWritable: volume.isWritable,
    isSnapshotOrigin: tree.snapshotsOf(volume.name).length > 0,
    tags: volume.tags,
    places: physicalAreasOf(volume).map(
      ({ physicalVolume, startExtent, extentCount }) =>
        `${session.memberScan(found, physicalVolume.uuid)?.source.name ?? physicalVolume.uuid}:${startExtent}-${startExtent + extentCount - 1}`,
    ),
  };
}

/** As LVM2 shows it: one stripe is linear. */
function typeOf({ type, mapping }: LogicalVolume["segments"][number]): string {
  return mapping.kind === "striped" && mapping.areas.length === 1 ? "linear" : type;
}

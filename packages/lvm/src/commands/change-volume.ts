import type { LogicalVolume, VolumeGroup } from "../model/group.ts";
import { allocationText, changeTags, plainChange, refuse, withStatus, withVolume } from "./change.ts";
import type { GroupChange } from "./change.ts";
import type { LvChangeRequest, LvRenameRequest } from "./request.ts";
import { checkNewName } from "./volume-names.ts";
import { VolumeTree, renameInMapping } from "./volume-tree.ts";

/** `lvrename`: the volume, and with it the hidden ones that are named after it. */
export function renameVolume(group: VolumeGroup, request: LvRenameRequest): GroupChange {
  const tree = new VolumeTree(group);
  const { volume: oldName, newName } = request;
  const volume = tree.find(oldName);
  checkNewName(group, newName);
  const parts = new Set([...tree.withParts(volume)].map(({ name }) => name));
  const rename = (name: string): string =>
    parts.has(name) && (name === oldName || name.startsWith(`${oldName}_`))
      ? `${newName}${name.slice(oldName.length)}`
      : name;
  const names = new Set(group.logicalVolumes.map(({ name }) => rename(name)));
  if (names.size < group.logicalVolumes.length)
    refuse(`a part of ${oldName} would get the name of another volume`, "choose another name");
  const logicalVolumes = group.logicalVolumes.map((one): LogicalVolume => ({
    ...one,
    name: rename(one.name),
    segments: one.segments.map((segment) => ({
      ...segment,
      mapping: renameInMapping(segment.mapping, rename),
    })),
  }));
  return plainChange({ ...group, logicalVolumes }, [
    `Renamed "${oldName}" to "${newName}" in volume group "${group.name}"`,
  ]);
}

/** `lvchange`: tags, permission, allocation policy. */
export function changeVolume(group: VolumeGroup, request: LvChangeRequest): GroupChange {
  const volume = new VolumeTree(group).find(request.volume);
  const tags = changeTags(volume.tags, request);
  const allocation = allocationText(request.alloc, "inherit") ?? volume.allocation;
  const changed = { ...withPermission(volume, request.permission), tags, allocation };
  if (
    changed.allocation === volume.allocation &&
    changed.isWritable === volume.isWritable &&
    tags.join() === volume.tags.join()
  )
    refuse(`nothing of the logical volume ${group.name}/${volume.name} would be changed`);
  return plainChange(withVolume(group, changed), [`Logical volume ${group.name}/${volume.name} changed.`]);
}

function withPermission(volume: LogicalVolume, permission: "r" | "rw" | undefined): LogicalVolume {
  const { status, name } = volume;
  if (permission === undefined) return volume;
  if (volume.segments.some(({ mapping }) => mapping.kind === "thin-pool"))
    refuse(`${name} is a thin pool: its volumes have permissions`);
  if (status.includes("WRITE_LOCKED") || volume.flags.includes("WRITE_LOCKED"))
    refuse(`${name} is locked against writing by a flag of its own`, "use LVM2 itself on this volume");
  if ((permission === "rw") === volume.isWritable) return volume;
  if (permission === "r")
    return withStatus(
      volume,
      status.filter((flag) => flag !== "WRITE"),
    );
  const at = status.indexOf("READ") + 1;
  return withStatus(volume, status.toSpliced(at, 0, "WRITE"));
}

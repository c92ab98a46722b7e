import { CevError } from "@cev/core";
import { freeCount, freeRanges } from "../allocate/free-space.ts";
import { SECTOR } from "../disk/bytes.ts";
import type { DiskArea } from "../disk/label.ts";
import type { PhysicalVolume, VolumeGroup } from "../model/group.ts";
import type { ConfigEntry, ConfigSection } from "../text/parser.ts";
import { allocationText, changeTags, checkName, plainChange, refuse } from "./change.ts";
import type { ChangeInputs, GroupChange } from "./change.ts";
import { countVolumes } from "./create-volume.ts";
import type { PvChangeRequest, VgChangeRequest } from "./request.ts";

const EXPORTED = "EXPORTED";
const RESIZEABLE = "RESIZEABLE";
const ALLOCATABLE = "ALLOCATABLE";
const COUNT_MAX = 2 ** 32 - 1;

/** `vgrename`. `others`: names of the groups that are here beside it. */
export function renameGroup(group: VolumeGroup, newName: string, others: readonly string[]): GroupChange {
  checkName(newName, "volume group");
  if (newName === group.name) refuse(`the group is named ${newName} already`);
  if (others.includes(newName)) refuse(`the volume group ${newName} already exists`, "choose another name");
  return plainChange({ ...group, name: newName }, [
    `Volume group "${group.name}" successfully renamed to "${newName}"`,
  ]);
}

/** `vgchange`: tags, UUID, policy, limits, whether physical volumes may come and go. */
export function changeGroup(group: VolumeGroup, request: VgChangeRequest, inputs: ChangeInputs): GroupChange {
  const tags = changeTags(group.tags, request);
  const status = resizeableStatus(group, request.isResizeable);
  const allocation = allocationText(request.alloc, "normal") ?? group.allocation;
  const changed: VolumeGroup = {
    ...group,
    uuid: request.newUuid === true ? inputs.newUuid() : group.uuid,
    status,
    tags,
    allocation,
    logicalVolumesMax: limit(
      request.logicalVolumesMax,
      group.logicalVolumesMax,
      countVolumes(group),
      "logical",
    ),
    physicalVolumesMax: limit(
      request.physicalVolumesMax,
      group.physicalVolumesMax,
      group.physicalVolumes.length,
      "physical",
    ),
  };
  const isSame =
    changed.uuid === group.uuid &&
    changed.status === group.status &&
    tags.join() === group.tags.join() &&
    changed.allocation === group.allocation &&
    changed.logicalVolumesMax === group.logicalVolumesMax &&
    changed.physicalVolumesMax === group.physicalVolumesMax;
  if (isSame) refuse(`nothing of the volume group ${group.name} would be changed`);
  return plainChange(changed, [`Volume group "${group.name}" successfully changed`]);
}

function resizeableStatus({ status }: VolumeGroup, wanted: boolean | undefined): readonly string[] {
  if (wanted === undefined || wanted === status.includes(RESIZEABLE)) return status;
  if (!wanted) return status.filter((flag) => flag !== RESIZEABLE);
  return status.toSpliced(status.includes(EXPORTED) ? 1 : 0, 0, RESIZEABLE);
}

function limit(
  wanted: number | undefined,
  before: number,
  count: number,
  kind: "logical" | "physical",
): number {
  if (wanted === undefined) return before;
  if (!(Number.isInteger(wanted) && wanted >= 0 && wanted <= COUNT_MAX))
    refuse(`${wanted} is no limit of ${kind} volumes: 0 for none, or a number`);
  if (wanted > 0 && wanted < count) refuse(`the group has ${count} ${kind} volumes, more than ${wanted}`);
  return wanted;
}

/** `vgexport`: the group is to be left alone until it is imported, here or elsewhere. */
export function exportGroup(group: VolumeGroup): GroupChange {
  return plainChange(
    {
      ...group,
      status: [EXPORTED, ...group.status],
      physicalVolumes: group.physicalVolumes.map((volume) => ({
        ...volume,
        status: [...volume.status, EXPORTED],
      })),
    },
    [`Volume group "${group.name}" successfully exported`],
  );
}

/** `vgimport`. */
export function importGroup(group: VolumeGroup): GroupChange {
  if (!group.status.includes(EXPORTED)) refuse(`the volume group ${group.name} is not exported`);
  const without = (status: readonly string[]): readonly string[] =>
    status.filter((flag) => flag !== EXPORTED);
  return plainChange(
    {
      ...group,
      status: without(group.status),
      physicalVolumes: group.physicalVolumes.map((volume) => ({ ...volume, status: without(volume.status) })),
    },
    [`Volume group "${group.name}" successfully imported`],
  );
}

/** Throws `CEV_INVALID` where physical volumes may not come or go. */
export function checkResizeable({ name, status }: VolumeGroup): void {
  if (!status.includes(RESIZEABLE))
    refuse(`the volume group ${name} is not resizeable`, "see vgchange --resizeable y");
}

/** A physical volume that a group takes in. Sizes in bytes. */
export interface NewMember {
  readonly device: string;
  /** With dashes. */
  readonly uuid: string;
  readonly size: number;
  readonly dataOffset: number;
  /** Of the data area; up to a second metadata area, say. */
  readonly dataEnd: number;
  readonly bootloaderArea: DiskArea | null;
}

/** A new group. Throws `CEV_INVALID`. */
export function createGroup(
  plan: {
    readonly name: string;
    readonly extentSize: number;
    readonly members: readonly NewMember[];
    readonly allocation: string;
    readonly tags: readonly string[];
    readonly logicalVolumesMax: number;
    readonly physicalVolumesMax: number;
  },
  inputs: ChangeInputs,
): GroupChange {
  const { name, extentSize } = plan;
  checkName(name, "volume group");
  checkExtentSize(extentSize);
  const empty: VolumeGroup = {
    name,
    uuid: inputs.newUuid(),
    seqno: 0,
    extentSize,
    status: [RESIZEABLE, "READ", "WRITE"],
    flags: [],
    tags: changeTags([], { addTags: plan.tags }),
    systemId: "",
    lockType: "",
    allocation: plan.allocation,
    logicalVolumesMax: limit(plan.logicalVolumesMax, 0, 0, "logical"),
    physicalVolumesMax: limit(plan.physicalVolumesMax, 0, 0, "physical"),
    metadataCopies: 0,
    description: "",
    creationHost: inputs.hostname,
    creationTime: inputs.now,
    physicalVolumes: [],
    logicalVolumes: [],
    tree: null,
  };
  const { group } = addMembers(empty, plan.members);
  return plainChange(group, [`Volume group "${name}" successfully created`]);
}

// LVM2: a power of 2, or a multiple of 128 KiB.
const EXTENT_UNIT = 128 * 1024;

function checkExtentSize(size: number): void {
  const isPower = size >= 1024 && Number.isInteger(Math.log2(size));
  if ((isPower || (size > 0 && size % EXTENT_UNIT === 0)) && size / 512 < 2 ** 32) return;
  refuse(`${size} bytes are no extent size: it is a power of 2 of at least 1 KiB, or a multiple of 128 KiB`);
}

/** `vgextend`. Throws `CEV_INVALID`. */
export function extendGroup(group: VolumeGroup, members: readonly NewMember[]): GroupChange {
  checkResizeable(group);
  const { group: changed } = addMembers(group, members);
  return plainChange(changed, [`Volume group "${group.name}" successfully extended`]);
}

function addMembers(group: VolumeGroup, members: readonly NewMember[]): { readonly group: VolumeGroup } {
  const physicalVolumes = [...group.physicalVolumes];
  for (const member of members) {
    const extentCount = Math.floor((member.dataEnd - member.dataOffset) / group.extentSize);
    if (extentCount < 1)
      refuse(
        `${member.device} has no room for an extent of ${group.extentSize} bytes`,
        "use smaller extents",
      );
    if (extentCount > COUNT_MAX)
      refuse(`${member.device} would have more than ${COUNT_MAX} extents`, "use larger extents");
    if (physicalVolumes.some(({ uuid }) => uuid === member.uuid))
      refuse(`${member.device} is already in the volume group ${group.name}`);
    physicalVolumes.push({
      name: nextPvName(physicalVolumes),
      uuid: member.uuid,
      deviceHint: member.device,
      size: member.size,
      dataOffset: member.dataOffset,
      extentCount,
      status: [ALLOCATABLE],
      flags: [],
      tags: [],
      isMarkedMissing: false,
      section: member.bootloaderArea === null ? null : bootloaderSection(member.bootloaderArea),
    });
  }
  const { physicalVolumesMax } = group;
  if (physicalVolumesMax > 0 && physicalVolumes.length > physicalVolumesMax)
    refuse(
      `the maximum number of physical volumes (${physicalVolumesMax}) is reached in the volume group ${group.name}`,
      "see vgchange --maxphysicalvolumes",
    );
  return { group: { ...group, physicalVolumes } };
}

/** Keys that the model does not know, as LVM2 writes them. */
function bootloaderSection({ offset, size }: DiskArea): ConfigSection {
  const entries: [string, ConfigEntry][] = [
    ["flags", { value: [], offset: 0 }],
    ["ba_start", { value: offset / SECTOR, offset: 0 }],
    ["ba_size", { value: size / SECTOR, offset: 0 }],
  ];
  return { entries: new Map(entries), offset: 0 };
}

/** Names stay with their physical volumes; a new one takes the lowest that is free. */
function nextPvName(volumes: readonly PhysicalVolume[]): string {
  const names = new Set(volumes.map(({ name }) => name));
  for (let index = 0; ; index++) if (!names.has(`pv${index}`)) return `pv${index}`;
}

/** `vgextend --restoremissing`: these physical volumes count again. */
export function restoreMissing(group: VolumeGroup, volumes: readonly PhysicalVolume[]): GroupChange {
  const uuids = new Set(volumes.map(({ uuid }) => uuid));
  const stranger = volumes.find(({ isMarkedMissing }) => !isMarkedMissing);
  if (stranger !== undefined)
    refuse(`${stranger.deviceHint} was not missing from the volume group ${group.name}`);
  return plainChange(
    {
      ...group,
      physicalVolumes: group.physicalVolumes.map((volume) =>
        uuids.has(volume.uuid) ? unmarkMissing(volume) : volume,
      ),
    },
    [`Volume group "${group.name}" successfully extended`],
    ["what the physical volumes hold is taken for up to date"],
  );
}

function unmarkMissing(volume: PhysicalVolume): PhysicalVolume {
  return {
    ...volume,
    flags: volume.flags.filter((flag) => flag !== "MISSING"),
    status: volume.status.filter((flag) => flag !== "MISSING"),
    isMarkedMissing: false,
  };
}

/** As LVM2 does with every change of a group of which a physical volume is not there. */
export function markMissing(group: VolumeGroup, uuids: ReadonlySet<string>): VolumeGroup {
  return {
    ...group,
    physicalVolumes: group.physicalVolumes.map((volume) =>
      uuids.has(volume.uuid) && !volume.isMarkedMissing
        ? { ...volume, flags: [...volume.flags, "MISSING"], isMarkedMissing: true }
        : volume,
    ),
  };
}

/** `pvchange` of members: tags, and whether new extents may lie there. */
export function changeMembers(
  group: VolumeGroup,
  volumes: readonly PhysicalVolume[],
  request: PvChangeRequest,
): GroupChange {
  const changed = volumes.map((volume): PhysicalVolume => ({
    ...volume,
    tags: changeTags(volume.tags, request),
    status: allocatableStatus(volume.status, request.isAllocatable),
  }));
  const names = new Map(changed.map((volume) => [volume.name, volume]));
  return plainChange(
    {
      ...group,
      physicalVolumes: group.physicalVolumes.map((volume) => names.get(volume.name) ?? volume),
    },
    changed.map(({ deviceHint }) => `Physical volume "${deviceHint}" changed`),
  );
}

function allocatableStatus(status: readonly string[], wanted: boolean | undefined): readonly string[] {
  if (wanted === undefined || wanted === status.includes(ALLOCATABLE)) return status;
  return wanted ? [ALLOCATABLE, ...status] : status.filter((flag) => flag !== ALLOCATABLE);
}

/** `pvresize` of a member. Throws `CEV_INVALID`, and `CEV_NO_SPACE` where extents in use would be cut off. */
export function resizeMember(group: VolumeGroup, volume: PhysicalVolume, size: number): GroupChange {
  const extentCount = Math.floor((size - volume.dataOffset) / group.extentSize);
  if (extentCount < 1) refuse(`${size} bytes have no room for an extent`);
  if (extentCount > COUNT_MAX) refuse(`${size} bytes would make more than ${COUNT_MAX} extents`);
  const free = freeRanges(group).get(volume.name) ?? [];
  const last = free.at(-1);
  const usedEnd =
    last !== undefined && last.start + last.count === volume.extentCount ? last.start : volume.extentCount;
  if (extentCount < usedEnd)
    throw new CevError(
      "CEV_NO_SPACE",
      `${volume.deviceHint} cannot be resized to ${extentCount} extents as later ones are allocated, up to ${usedEnd}`,
      { hint: "move or remove what lies there first" },
    );
  const changed = { ...volume, size, extentCount };
  return plainChange(
    {
      ...group,
      physicalVolumes: group.physicalVolumes.map((one) => (one.name === volume.name ? changed : one)),
    },
    [`Physical volume "${volume.deviceHint}" changed from ${volume.extentCount} to ${extentCount} extents`],
  );
}

/** How many extents of a physical volume hold something. */
export function usedCount(group: VolumeGroup, volume: PhysicalVolume): number {
  return volume.extentCount - freeCount(freeRanges(group).get(volume.name));
}

import type { CommandRequest } from "@cev/lvm";

/** A command during which the power goes, on disks prepared by other commands. */
export interface Scene {
  readonly name: string;
  readonly before: readonly CommandRequest[];
  readonly command: CommandRequest;
}

const group = "vg";
const PV = { metadataSize: "32k", dataAlignment: "64k" } as const;
const VG = { command: "vgcreate", group, devices: ["pv0", "pv1"], extentSize: "16k", ...PV } as const;
const KEPT: CommandRequest = { command: "lvcreate", group, name: "kept", extents: 5 };
const DATA: CommandRequest = { command: "lvcreate", group, name: "data", extents: 6 };
const SNAP: CommandRequest = {
  command: "lvcreate",
  group,
  name: "snap",
  snapshotOf: "data",
  extents: 12,
  chunkSize: "4k",
};
const GROUP = [VG, KEPT, DATA];

function scene(name: string, before: readonly CommandRequest[], command: CommandRequest): Scene {
  return { name, before, command };
}

/** Two areas on each physical volume, written so often that the next text wraps around the end of the second ring. */
const WRAPPING: readonly CommandRequest[] = [
  { ...VG, metadataCopies: 2 },
  KEPT,
  DATA,
  ...Array.from({ length: 39 }, (_, index): CommandRequest => ({
    command: "vgchange",
    group,
    ...(index % 2 === 0 ? { addTags: ["t"] } : { deleteTags: ["t"] }),
  })),
];

/** Every command that writes, at least once. */
export const SCENES: readonly Scene[] = [
  scene("pvcreate", GROUP, { command: "pvcreate", devices: ["pv2"], ...PV }),
  scene("pvcreate over another", [...GROUP, { command: "pvcreate", devices: ["pv2"] }], {
    command: "pvcreate",
    devices: ["pv2"],
    metadataCopies: 2,
    force: true,
    ...PV,
  }),
  scene("pvremove", [...GROUP, { command: "pvcreate", devices: ["pv2"] }], {
    command: "pvremove",
    devices: ["pv2"],
  }),
  scene("vgcreate", [], VG),
  scene("vgcreate on physical volumes", [{ command: "pvcreate", devices: ["pv0", "pv1"], ...PV }], {
    command: "vgcreate",
    group,
    devices: ["pv0", "pv1"],
    extentSize: "16k",
  }),
  scene("vgremove", GROUP, { command: "vgremove", group, force: true }),
  scene("vgextend", GROUP, { command: "vgextend", group, devices: ["pv2"], ...PV }),
  scene("vgreduce", [...GROUP, { command: "vgextend", group, devices: ["pv2"], ...PV }], {
    command: "vgreduce",
    group,
    devices: ["pv2"],
  }),
  scene("vgrename", GROUP, { command: "vgrename", group, newName: "other" }),
  scene("vgchange tags", GROUP, { command: "vgchange", group, addTags: ["a", "b"] }),
  scene("vgchange uuid", GROUP, { command: "vgchange", group, newUuid: true }),
  scene("pvchange", GROUP, { command: "pvchange", devices: ["pv0"], addTags: ["t"] }),
  scene("pvchange again", GROUP, { command: "pvchange", devices: ["pv1"], isAllocatable: false }),
  scene("vgexport", GROUP, { command: "vgexport", group }),
  scene("vgimport", [...GROUP, { command: "vgexport", group }], { command: "vgimport", group }),
  scene("lvcreate linear", GROUP, { command: "lvcreate", group, name: "new", extents: 7 }),
  scene("lvcreate striped", GROUP, {
    command: "lvcreate",
    group,
    name: "new",
    extents: 6,
    stripes: 2,
    stripeSize: "4k",
  }),
  scene("lvcreate snapshot", GROUP, SNAP),
  scene("lvextend", GROUP, { command: "lvextend", group, volume: "data", extents: "+4" }),
  scene("lvreduce", GROUP, { command: "lvreduce", group, volume: "data", extents: "-2", force: true }),
  scene("lvrename", GROUP, { command: "lvrename", group, volume: "data", newName: "renamed" }),
  scene("lvremove", GROUP, { command: "lvremove", group, volumes: ["data"], force: true }),
  scene("lvremove with snapshot", [...GROUP, SNAP], {
    command: "lvremove",
    group,
    volumes: ["data"],
    force: true,
  }),
  scene("lvremove snapshot", [...GROUP, SNAP], { command: "lvremove", group, volumes: ["snap"] }),
  scene("lvchange", GROUP, { command: "lvchange", group, volume: "data", addTags: ["t"] }),
  scene("lvconvert merge", [...GROUP, SNAP], { command: "lvconvert", group, merge: true, snapshot: "snap" }),
  scene("rings that wrap", WRAPPING, { command: "vgchange", group, deleteTags: ["t"] }),
  scene("vgck updatemetadata", GROUP, { command: "vgck", group, updateMetadata: true }),
  scene("vgimportclone", GROUP, {
    command: "vgimportclone",
    devices: ["pv0", "pv1"],
    baseName: "clone",
  }),
];

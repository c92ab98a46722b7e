/** How new extents are chosen. "inherit": as the group does. */
export type AllocationPolicy = "contiguous" | "cling" | "normal" | "anywhere" | "inherit";

/**
 * An amount as `-L` takes it: bytes, or "10g", "512k", "4096s" (sectors), "100b". A number without a letter is in MiB when it
 * is text, and in bytes when it is a number. "+" and "-" in front count from what there is (lvextend, lvreduce, lvresize).
 */
export type SizeText = number | string;

/** An amount as `-l` takes it: extents, or "50%VG", "100%FREE", "50%PVS", "100%ORIGIN", with "+" or "-" in front for resizing. */
export type ExtentsText = number | string;

/** Settings of a new physical volume. */
export interface PvOptions {
  /** How many metadata areas: 0, 1 (default) or 2. */
  readonly metadataCopies?: number | undefined;
  readonly metadataSize?: SizeText | undefined;
  /** By default 1 MiB, or what the device prefers. */
  readonly dataAlignment?: SizeText | undefined;
  readonly dataAlignmentOffset?: SizeText | undefined;
  /** Sector of the label, 0 to 3. Default 1. */
  readonly labelSector?: number | undefined;
  readonly bootloaderAreaSize?: SizeText | undefined;
  /** Wipe the first 2 KiB, as is usual. Default true. */
  readonly zero?: boolean | undefined;
  /** Also over a physical volume of a group, or what looks like something else. */
  readonly force?: boolean | undefined;
}

/** Tags to add and to take away. */
export interface TagChanges {
  readonly addTags?: readonly string[] | undefined;
  readonly deleteTags?: readonly string[] | undefined;
}

export interface PvCreateRequest extends PvOptions {
  readonly command: "pvcreate";
  /** Names of devices. */
  readonly devices: readonly string[];
  /** With dashes; one device only. By default random. */
  readonly uuid?: string | undefined;
  /** Bytes the device is to be taken for. */
  readonly setSize?: SizeText | undefined;
  /** A backup text that lists `uuid`: its data begins where it did, so that `vgcfgrestore` fits. */
  readonly restoreText?: string | undefined;
}

export interface PvRemoveRequest {
  readonly command: "pvremove";
  readonly devices: readonly string[];
  readonly force?: boolean | undefined;
}

export interface PvResizeRequest {
  readonly command: "pvresize";
  readonly devices: readonly string[];
  /** By default the size of the device. */
  readonly setSize?: SizeText | undefined;
}

export interface PvChangeRequest extends TagChanges {
  readonly command: "pvchange";
  readonly devices: readonly string[];
  readonly isAllocatable?: boolean | undefined;
  /** Of the group they belong to; found by itself. */
  readonly group?: string | undefined;
}

export interface VgCreateRequest extends PvOptions {
  readonly command: "vgcreate";
  readonly group: string;
  /** Devices that are no physical volumes yet become such. */
  readonly devices: readonly string[];
  /** Default 4 MiB. */
  readonly extentSize?: SizeText | undefined;
  readonly alloc?: AllocationPolicy | undefined;
  readonly tags?: readonly string[] | undefined;
  /** 0 (default): no limit. */
  readonly logicalVolumesMax?: number | undefined;
  readonly physicalVolumesMax?: number | undefined;
}

/** A group is named by its name or its UUID. It may be left out where there is one group only. */
interface OnGroup {
  readonly group?: string | undefined;
}

export interface VgRemoveRequest extends OnGroup {
  readonly command: "vgremove";
  /** With all its volumes. */
  readonly force?: boolean | undefined;
}

export interface VgExtendRequest extends OnGroup, PvOptions {
  readonly command: "vgextend";
  readonly devices: readonly string[];
  /** Devices that were missing belong to the group again; what they hold is taken for up to date. */
  readonly restoreMissing?: boolean | undefined;
}

export interface VgReduceRequest extends OnGroup {
  readonly command: "vgreduce";
  readonly devices?: readonly string[] | undefined;
  /** All that hold no extent of a volume. */
  readonly all?: boolean | undefined;
  /** All that are missing; with `force` also the volumes that lie on them. */
  readonly removeMissing?: boolean | undefined;
  readonly force?: boolean | undefined;
}

export interface VgRenameRequest extends OnGroup {
  readonly command: "vgrename";
  readonly newName: string;
}

export interface VgChangeRequest extends OnGroup, TagChanges {
  readonly command: "vgchange";
  readonly newUuid?: boolean | undefined;
  readonly isResizeable?: boolean | undefined;
  readonly alloc?: AllocationPolicy | undefined;
  readonly logicalVolumesMax?: number | undefined;
  readonly physicalVolumesMax?: number | undefined;
}

export interface VgExportRequest extends OnGroup {
  readonly command: "vgexport";
}

export interface VgImportRequest extends OnGroup {
  readonly command: "vgimport";
  readonly force?: boolean | undefined;
}

export interface VgBackupRequest extends OnGroup {
  readonly command: "vgcfgbackup";
}

export interface VgRestoreRequest extends OnGroup {
  readonly command: "vgcfgrestore";
  /** A text that `vgcfgbackup` or LVM2 made. */
  readonly text: string;
  /** Also where thin pools are in it, whose own metadata are not restored. */
  readonly force?: boolean | undefined;
}

export interface VgCheckRequest extends OnGroup {
  readonly command: "vgck";
  /** Writes the newest text to all areas once more. */
  readonly updateMetadata?: boolean | undefined;
}

export interface VgImportCloneRequest extends OnGroup {
  readonly command: "vgimportclone";
  /** All physical volumes of the clone, and only those. */
  readonly devices: readonly string[];
  /** By default the group's name with a number behind it. */
  readonly baseName?: string | undefined;
}

export interface LvCreateRequest extends OnGroup {
  readonly command: "lvcreate";
  /** By default "lvol0", "lvol1"… */
  readonly name?: string | undefined;
  readonly size?: SizeText | undefined;
  readonly extents?: ExtentsText | undefined;
  readonly stripes?: number | undefined;
  /** Default 64 KiB. */
  readonly stripeSize?: SizeText | undefined;
  readonly alloc?: AllocationPolicy | undefined;
  /** Where it may lie: "d0", or with ranges of extents "d0:0-99:200-". */
  readonly places?: readonly string[] | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly permission?: "r" | "rw" | undefined;
  /** Wipe the first 4 KiB. Default true, for volumes that may be written. */
  readonly zero?: boolean | undefined;
  /** Makes a snapshot of this volume; `size` is that of its store. */
  readonly snapshotOf?: string | undefined;
  /** Of a snapshot: 4 KiB (default) to 512 KiB. */
  readonly chunkSize?: SizeText | undefined;
  /** Of the type "error" or "zero", which take no extents; "linear", "striped" and "snapshot" say themselves. */
  readonly type?: "linear" | "striped" | "snapshot" | "error" | "zero" | undefined;
}

interface OnVolume extends OnGroup {
  /** Name of the volume. */
  readonly volume: string;
}

export interface LvResizeRequest extends OnVolume {
  readonly command: "lvextend" | "lvreduce" | "lvresize";
  readonly size?: SizeText | undefined;
  readonly extents?: ExtentsText | undefined;
  /** By default as many as the last segment has. */
  readonly stripes?: number | undefined;
  readonly stripeSize?: SizeText | undefined;
  readonly alloc?: AllocationPolicy | undefined;
  readonly places?: readonly string[] | undefined;
  /** What lies behind the new end may be lost: needed for every reduction. */
  readonly force?: boolean | undefined;
}

export interface LvRenameRequest extends OnVolume {
  readonly command: "lvrename";
  readonly newName: string;
}

export interface LvRemoveRequest extends OnGroup {
  readonly command: "lvremove";
  /** Names; none: all volumes of the group. */
  readonly volumes: readonly string[];
  /** An origin with its snapshots. */
  readonly force?: boolean | undefined;
}

export interface LvChangeRequest extends OnVolume, TagChanges {
  readonly command: "lvchange";
  readonly permission?: "r" | "rw" | undefined;
  readonly alloc?: AllocationPolicy | undefined;
}

/** `lvconvert --merge`: the snapshot goes back into its origin and is gone. */
export interface LvMergeRequest extends OnGroup {
  readonly command: "lvconvert";
  readonly merge: true;
  /** Name of the snapshot. A merge that was cut short goes on. */
  readonly snapshot: string;
}

/** Listings: rows of all groups, or of one. */
export interface ListRequest extends OnGroup {
  readonly command: "pvs" | "vgs" | "lvs";
  /** `lvs`: hidden volumes, too. */
  readonly all?: boolean | undefined;
}

/** One command as data. */
export type CommandRequest =
  | PvCreateRequest
  | PvRemoveRequest
  | PvResizeRequest
  | PvChangeRequest
  | VgCreateRequest
  | VgRemoveRequest
  | VgExtendRequest
  | VgReduceRequest
  | VgRenameRequest
  | VgChangeRequest
  | VgExportRequest
  | VgImportRequest
  | VgBackupRequest
  | VgRestoreRequest
  | VgCheckRequest
  | VgImportCloneRequest
  | LvCreateRequest
  | LvResizeRequest
  | LvRenameRequest
  | LvRemoveRequest
  | LvChangeRequest
  | LvMergeRequest
  | ListRequest;

import { placesOfMember } from "../images/images.ts";
import { sealSuperblock0, sealSuperblock1 } from "../images/metadata.ts";
import type { Shape } from "../shape.ts";

/** A field of a structure: bytes from its begin. */
export interface Field {
  readonly name: string;
  readonly at: number;
  readonly length: number;
}

/** A structure that every member of an array has. */
export interface Structure {
  readonly name: "superblock" | "bitmap" | "bad-block log";
  /** Where it lies on a device, and how much of it means something. Bytes. */
  readonly offset: number;
  readonly length: number;
  readonly fields: readonly Field[];
  /** Makes its checksum right; does nothing where it has none. */
  readonly seal: (bytes: Uint8Array) => void;
}

type Row = readonly [name: string, at: number, length?: number];

const SUPERBLOCK_1: readonly Row[] = [
  ["magic", 0],
  ["major_version", 4],
  ["feature_map", 8],
  ["pad0", 12],
  ["set_uuid", 16, 16],
  ["set_name", 32, 32],
  ["ctime", 64, 8],
  ["level", 72],
  ["layout", 76],
  ["size", 80, 8],
  ["chunksize", 88],
  ["raid_disks", 92],
  ["bitmap_offset", 96],
  ["new_level", 100],
  ["reshape_position", 104, 8],
  ["delta_disks", 112],
  ["new_layout", 116],
  ["new_chunk", 120],
  ["new_offset", 124],
  ["data_offset", 128, 8],
  ["data_size", 136, 8],
  ["super_offset", 144, 8],
  ["recovery_offset", 152, 8],
  ["dev_number", 160],
  ["cnt_corrected_read", 164],
  ["device_uuid", 168, 16],
  ["devflags", 184, 1],
  ["bblog_shift", 185, 1],
  ["bblog_size", 186, 2],
  ["bblog_offset", 188],
  ["utime", 192, 8],
  ["events", 200, 8],
  ["resync_offset", 208, 8],
  ["sb_csum", 216],
  ["max_dev", 220],
  ["pad3", 224, 32],
];

const SUPERBLOCK_0: readonly Row[] = [
  ["md_magic", 0],
  ["major_version", 4],
  ["minor_version", 8],
  ["patch_version", 12],
  ["gvalid_words", 16],
  ["set_uuid0", 20],
  ["ctime", 24],
  ["level", 28],
  ["size", 32],
  ["nr_disks", 36],
  ["raid_disks", 40],
  ["md_minor", 44],
  ["not_persistent", 48],
  ["set_uuid1", 52],
  ["set_uuid2", 56],
  ["set_uuid3", 60],
  ["utime", 128],
  ["state", 132],
  ["active_disks", 136],
  ["working_disks", 140],
  ["failed_disks", 144],
  ["spare_disks", 148],
  ["sb_csum", 152],
  ["events_lo", 156],
  ["events_hi", 160],
  ["cp_events_lo", 164],
  ["cp_events_hi", 168],
  ["recovery_cp", 172],
  ["reshape_position", 176, 8],
  ["new_level", 184],
  ["delta_disks", 188],
  ["new_layout", 192],
  ["new_chunk", 196],
  ["layout", 256],
  ["chunk_size", 260],
  ["root_pv", 264],
  ["root_block", 268],
];

const DESCRIPTOR: readonly Row[] = [
  ["number", 0],
  ["major", 4],
  ["minor", 8],
  ["raid_disk", 12],
  ["state", 16],
];

const BITMAP: readonly Row[] = [
  ["magic", 0],
  ["version", 4],
  ["uuid", 8, 16],
  ["events", 24, 8],
  ["events_cleared", 32, 8],
  ["sync_size", 40, 8],
  ["state", 48],
  ["chunksize", 52],
  ["daemon_sleep", 56],
  ["write_behind", 60],
  ["sectors_reserved", 64],
  ["nodes", 68],
  ["cluster_name", 72, 64],
  ["bits", 256, 4],
];

/** The structures that each member of an array has. */
export function structuresOf(shape: Shape): Structure[] {
  const { superOffset, bitmapOffset, badBlockOffset } = placesOfMember(shape);
  const structures = [
    shape.version === "0.90" ? superblock0(shape, superOffset) : superblock1(shape, superOffset),
  ];
  if (bitmapOffset !== 0)
    structures.push({
      name: "bitmap",
      offset: bitmapOffset,
      length: 260,
      fields: fieldsOf(BITMAP),
      seal() {},
    });
  if (badBlockOffset !== 0)
    structures.push({
      name: "bad-block log",
      offset: badBlockOffset,
      length: 40,
      fields: [0, 1, 2, 3, 4].map((index) => ({ name: `entry ${index}`, at: 8 * index, length: 8 })),
      seal() {},
    });
  return structures;
}

function superblock1({ memberCount }: Shape, offset: number): Structure {
  const roles = Array.from({ length: memberCount }, (_, index): Row => [
    `dev_roles[${index}]`,
    256 + 2 * index,
    2,
  ]);
  return {
    name: "superblock",
    offset,
    length: 256 + 2 * memberCount,
    fields: fieldsOf([...SUPERBLOCK_1, ...roles]),
    seal: sealSuperblock1,
  };
}

function superblock0({ memberCount }: Shape, offset: number): Structure {
  const descriptors = Array.from({ length: memberCount + 1 }, (_, index) =>
    DESCRIPTOR.map(([name, at]): Row => [`disks[${index}].${name}`, 512 + 128 * index + at]),
  );
  const own = DESCRIPTOR.map(([name, at]): Row => [`this_disk.${name}`, 3968 + at]);
  return {
    name: "superblock",
    offset,
    length: 4096,
    fields: fieldsOf([...SUPERBLOCK_0, ...descriptors.flat(), ...own]),
    seal: sealSuperblock0,
  };
}

function fieldsOf(rows: readonly Row[]): Field[] {
  return rows.map(([name, at, length = 4]) => ({ name, at, length }));
}

import { encodeRaid10Layout } from "../levels/raid10-layout.ts";

/** What dm-raid makes of a type of LVM's: md's level, its layout, and how many members hold parity. */
interface RaidType {
  readonly level: number;
  /** As in the superblock; -1: it depends on the number of copies. */
  readonly layout: number;
  readonly parityCount: number;
}

const raid5 = (layout: number): RaidType => ({ level: 5, layout, parityCount: 1 });
const raid6 = (layout: number): RaidType => ({ level: 6, layout, parityCount: 2 });
const RAID10: RaidType = { level: 10, layout: -1, parityCount: 0 };

/** By the name that LVM and dm-raid's table lines have for them. Source: drivers/md/dm-raid.c (raid_types), raid5.h. */
const RAID_TYPES: Readonly<Record<string, RaidType>> = {
  raid1: { level: 1, layout: 0, parityCount: 0 },
  // Parity on the first member: not what md calls RAID4.
  raid4: raid5(4),
  raid5: raid5(2),
  raid5_la: raid5(0),
  raid5_ra: raid5(1),
  raid5_ls: raid5(2),
  raid5_rs: raid5(3),
  raid5_n: raid5(5),
  raid6: raid6(8),
  raid6_zr: raid6(8),
  raid6_nr: raid6(9),
  raid6_nc: raid6(10),
  raid6_n_6: raid6(5),
  raid6_la_6: raid6(16),
  raid6_ra_6: raid6(17),
  raid6_ls_6: raid6(18),
  raid6_rs_6: raid6(19),
  raid10: RAID10,
  raid10_near: RAID10,
};

/** The names of all types. */
export const RAID_TYPE_NAMES: readonly string[] = Object.keys(RAID_TYPES);

/** What a volume's type says of the shape of its array. Sizes in bytes. */
export interface TypeShape {
  readonly type: string;
  readonly memberCount: number;
  readonly chunkSize: number;
  /** Of each byte; RAID10 only. */
  readonly copies: number;
  /** Of the array. */
  readonly size: number;
}

/** The array that dm-raid makes of a type: as its superblocks have it. Sizes in bytes. */
export interface TypeGeometry {
  readonly level: number;
  readonly layout: number;
  /** 0 for RAID1. */
  readonly chunkSize: number;
  /** What each member gives; a fraction where the size cannot be shared out. */
  readonly memberSize: number;
}

/** Source: drivers/md/dm-raid.c (rs_set_dev_and_array_sectors, raid10_format_to_md_layout). */
export function typeGeometry({ type, memberCount, chunkSize, copies, size }: TypeShape): TypeGeometry {
  const { level, layout, parityCount } = RAID_TYPES[type]!;
  if (level === 1) return { level, layout, chunkSize: 0, memberSize: size };
  if (level === 10) {
    const near = encodeRaid10Layout({ nearCount: copies, farCount: 1 }, false);
    return { level, layout: near, chunkSize, memberSize: (size * copies) / memberCount };
  }
  return { level, layout, chunkSize, memberSize: size / (memberCount - parityCount) };
}

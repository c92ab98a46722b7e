import { SHAPES } from "../lvm-matrix/shapes.ts";

const MIB = 1024 * 1024;

/** How one golden set is made; `make-golden.ts` runs these. */
export interface GoldenSet {
  readonly name: string;
  readonly description: string;
  /** The script in `sets/`, without its suffix; several sets may share one. */
  readonly script: string;
  /** The size of each image. */
  readonly sizes: readonly number[];
  readonly passphrase?: string;
  readonly secondPassphrase?: string;
  /** Variables for the script. */
  readonly env?: Readonly<Record<string, string>>;
  /** The kernel is stopped dead when the script ends. */
  readonly isPowerCut?: boolean;
  /** What has to write before it can be read needs `snapshot`. */
  readonly readMode?: "read-only" | "snapshot";
}

const PASSPHRASE = "correct horse battery staple";

export const GOLDEN_SETS: readonly GoldenSet[] = [
  {
    name: "stack",
    description:
      "md RAID5 (1.2, left-symmetric, 64 KiB chunks, 4 members, internal bitmap); LUKS2 on it (aes-xts-plain64, " +
      "argon2id, second keyslot pbkdf2); vg0 in that with root (two segments around other) and other; ext4 in root",
    script: "stack",
    sizes: [16 * MIB, 16 * MIB, 16 * MIB, 16 * MIB],
    passphrase: PASSPHRASE,
    secondPassphrase: "another way in",
    readMode: "snapshot",
  },
  {
    name: "raid5-4k",
    description: "md RAID5, 3 members, 4 KiB chunks",
    script: "raid5",
    sizes: [4 * MIB, 4 * MIB, 4 * MIB],
    env: { CHUNK: "4", STATE: "clean", NAME: "small-chunks" },
  },
  {
    name: "raid5-512k",
    description: "md RAID5, 3 members, one larger than the others, 512 KiB chunks",
    script: "raid5",
    sizes: [4 * MIB, 5 * MIB, 4 * MIB],
    env: { CHUNK: "512", STATE: "clean", NAME: "large-chunks" },
  },
  {
    name: "raid5-stale",
    description: "md RAID5, 4 members, 64 KiB chunks; disk1 failed and was removed before the last writes",
    script: "raid5",
    sizes: [4 * MIB, 4 * MIB, 4 * MIB, 4 * MIB],
    env: { CHUNK: "64", STATE: "stale", NAME: "degraded" },
  },
  {
    name: "raid5-dirty",
    description:
      "md RAID5, 3 members, 64 KiB chunks, internal bitmap; the power was cut while it was written: marked dirty",
    script: "raid5",
    sizes: [4 * MIB, 4 * MIB, 4 * MIB],
    env: { CHUNK: "64", STATE: "dirty", NAME: "dirty", BITMAP: "internal" },
    isPowerCut: true,
    readMode: "snapshot",
  },
  {
    name: "raid5-bitmap",
    description: "md RAID5, 3 members, 64 KiB chunks, internal bitmap with a bit for each 16 KiB",
    script: "raid5",
    sizes: [4 * MIB, 4 * MIB, 4 * MIB],
    env: { CHUNK: "64", STATE: "clean", NAME: "fine-bitmap", BITMAP: "internal", BITMAP_CHUNK: "16K" },
    readMode: "snapshot",
  },
  {
    name: "luks-4096",
    description:
      "LUKS2 with sectors of 4,096 bytes, aes-xts-plain64 with two keys of 128 bits, argon2id; ext4 in it",
    script: "luks",
    sizes: [4 * MIB],
    passphrase: PASSPHRASE,
    env: { OPTIONS: "--type luks2 --luks2-keyslots-size 128k --offset 2048 --sector-size 4096" },
  },
  {
    name: "luks-pbkdf2",
    description: "LUKS2 with pbkdf2 (sha512) only, sectors of 512 bytes; ext4 in it",
    script: "luks",
    sizes: [4 * MIB],
    passphrase: PASSPHRASE,
    env: {
      OPTIONS:
        "--type luks2 --luks2-keyslots-size 128k --offset 2048 --sector-size 512 --pbkdf pbkdf2 --hash sha512 --pbkdf-force-iterations 2000",
    },
  },
  {
    name: "luks1",
    description: "LUKS1, aes-xts-plain64 with two keys of 128 bits, pbkdf2 (sha256); ext4 in it",
    script: "luks",
    sizes: [5 * MIB],
    passphrase: PASSPHRASE,
    env: { OPTIONS: "--type luks1 --offset 4096 --pbkdf-force-iterations 1000" },
  },
  {
    name: "lvm",
    description:
      "vg1 over two disks, volumes in several pieces, metadata text that wraps around the end of its area",
    script: "lvm",
    sizes: [4 * MIB, 4 * MIB],
  },
  {
    name: "gpt",
    description: "a GPT disk: ext4 in p1, vg2 in p2",
    script: "partitions",
    sizes: [8 * MIB],
    env: { LABEL: "gpt" },
  },
  {
    name: "mbr",
    description: "an MBR disk: ext4 in p1, an extended partition with p5 and p6, vg2 in p6",
    script: "partitions",
    sizes: [8 * MIB],
    env: { LABEL: "dos" },
  },
];

function raidState(
  name: string,
  description: string,
  count: number,
  env: Record<string, string> = {},
): GoldenSet {
  return {
    name: `raid-${name}`,
    description,
    script: "raid-states",
    sizes: Array.from({ length: count }, () => 2.5 * MIB),
    env: { STATE: name, NAME: name, ...env },
    readMode: "snapshot",
  };
}

/** Arrays in states that do not last, or with what not every array has: to be recognised, not all of them opened. */
export const RAID_STATES: readonly GoldenSet[] = [
  raidState("reshape", "md RAID5 growing from 3 members to 4, stopped at a third", 4),
  raidState(
    "reshape-offset",
    "md RAID5 going from 64 to 128 KiB chunks, its data moving to an offset before",
    3,
  ),
  raidState(
    "reshape-backwards",
    "md RAID5 shrinking from 4 members to 3, from its end on; superblock 0.91",
    4,
  ),
  raidState("journal", "md RAID5 with a write journal on disk3", 4),
  raidState("ppl", "md RAID5 with a partial parity log", 3),
  raidState("badblocks", "md RAID5 with entries in the bad-block logs of disk0 and disk2", 3),
  raidState("recovering", "md RAID6; disk1 is being rebuilt and was stopped at half", 4),
  raidState("resyncing", "md RAID1; the resync was stopped at a fourth", 2),
  raidState("replacement", "md RAID5; disk3 is to replace disk1, and has half of it", 4),
  raidState("spare", "md RAID5 with a spare, disk3", 4),
  raidState("090", "md RAID5 with a superblock of version 0.90 and an internal bitmap", 3, {
    STATE: "old",
    BITMAP: "internal",
  }),
];

/** Volume groups of every segment type: some of the shapes of the LVM2 matrix. */
export const LVM_GROUPS: readonly GoldenSet[] = SHAPES.flatMap(({ name, sizes, golden }) =>
  golden === null
    ? []
    : [
        {
          name: `lvm-${name.replaceAll("_", "-")}`,
          description: golden,
          script: "lvm-groups",
          sizes,
          env: { SHAPE: name },
          readMode: "snapshot" as const,
        },
      ],
);

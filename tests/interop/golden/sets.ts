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

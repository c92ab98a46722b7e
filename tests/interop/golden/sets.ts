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
  /** The index of an image that is left out of the repository. */
  readonly missing?: number;
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
  },
];

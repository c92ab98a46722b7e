import { byChance } from "../matrix/by-chance.ts";

export const FORMATS = ["plain", "luks1", "luks2"] as const;
export type Format = (typeof FORMATS)[number];

/** How a passphrase becomes a key; "-": plain mode, which only hashes it. */
export type Kdf = "-" | "pbkdf2" | "argon2i" | "argon2id";

/** One device of the matrix. Its `id` says it all: what is left open comes from a hash of the id. */
export interface CryptCase {
  /** "luks2/aes-xts-plain64/64/4096/sha256/argon2id": format, cipher, bytes of the key, sector, hash, derivation. */
  readonly id: string;
  readonly format: Format;
  /** As cryptsetup's `--cipher`. */
  readonly encryption: string;
  /** Bytes. */
  readonly keySize: number;
  readonly sectorSize: number;
  /** Whether initialization vectors count in sectors of this size ("4096L" in the id), not of 512 bytes. */
  readonly hasLargeIvs: boolean;
  /** Plain mode: of the passphrase ("key": a key file, taken as it is); LUKS: of derivation, splitter and digest. */
  readonly hash: string;
  readonly kdf: Kdf;
  /** What cev may refuse, and then has to name: the cipher or the hash. Null: it has to open it. */
  readonly foreign: "cipher" | "hash" | null;
}

/** A cipher with the sizes of its key, in bytes. */
interface Cipher {
  readonly encryption: string;
  readonly keySizes: readonly number[];
  readonly formats?: readonly Format[];
}

const IVS = ["plain", "plain64", "plain64be", "essiv:sha256", "benbi", "null"];
const MODES: readonly {
  readonly mode: string;
  readonly ivs: readonly string[];
  readonly keySizes: number[];
}[] = [
  { mode: "xts", ivs: IVS, keySizes: [32, 48, 64] },
  { mode: "cbc", ivs: [...IVS, "essiv:md5"], keySizes: [16, 24, 32] },
  { mode: "ctr", ivs: IVS, keySizes: [16, 24, 32] },
  { mode: "ecb", ivs: [""], keySizes: [16, 24, 32] },
];

const CIPHERS: readonly Cipher[] = ["aes", "camellia"].flatMap((cipher) =>
  MODES.flatMap(({ mode, ivs, keySizes }) =>
    ivs.map((iv) => ({ encryption: `${cipher}-${mode}${iv === "" ? "" : `-${iv}`}`, keySizes })),
  ),
);

/** What is rarer: in the modes that it is found with. */
const RARE: readonly Cipher[] = [
  { encryption: "serpent-xts-plain64", keySizes: [32, 64] },
  { encryption: "serpent-cbc-essiv:sha256", keySizes: [32] },
  { encryption: "twofish-xts-plain64", keySizes: [32, 64] },
  { encryption: "twofish-cbc-plain", keySizes: [16, 32] },
  { encryption: "aes-lrw-benbi", keySizes: [32, 48] },
];

/** What the kernel has, and cev need not have. */
const FOREIGN: readonly Cipher[] = [
  { encryption: "cast6-xts-plain64", keySizes: [32] },
  { encryption: "des3_ede-cbc-plain", keySizes: [24] },
  { encryption: "xchacha12,aes-adiantum-plain64", keySizes: [32] },
  { encryption: "xchacha20,aes-adiantum-plain64", keySizes: [32] },
  { encryption: "aes-pcbc-plain64", keySizes: [32] },
  { encryption: "aes-cbc-essiv:sha3-256", keySizes: [32] },
  { encryption: "aes-cbc-eboiv", keySizes: [32], formats: ["plain"] },
  { encryption: "aes-cbc-elephant", keySizes: [64], formats: ["plain"] },
  { encryption: "aes-cbc-lmk", keySizes: [16], formats: ["plain"] },
  { encryption: "aes-cbc-tcw", keySizes: [64], formats: ["plain"] },
  { encryption: "capi:xts(aes)-plain64", keySizes: [64] },
];

const SECTORS = ["512", "1024", "2048", "4096"];
const LARGE_SECTORS = ["1024L", "2048L", "4096L"];
const HASHES = ["sha256", "sha1", "sha512", "ripemd160", "sha224", "sha384"];
/** What cryptsetup's libraries have, and cev need not have. */
const FOREIGN_HASHES = ["whirlpool", "sha3-256", "blake2b-512", "blake2s-256"];
const PLAIN_HASHES = ["key", "plain", "sha256:16", "ripemd160:20", "sha256", "sha1", "sha512", "ripemd160"];
const KDFS: readonly Kdf[] = ["pbkdf2", "argon2id", "argon2i"];

/** The whole product: every cipher in every format and sector size, with every hash and derivation. */
export function allCases(): readonly CryptCase[] {
  return [...exchanged([...CIPHERS, ...RARE], false), ...oldNames(), ...exchanged(FOREIGN, true)];
}

/** Of each cipher, format and sector size one case, and of each hash and derivation one: the rest by the seed. */
export function everyOne(cases: readonly CryptCase[], seed: number): readonly CryptCase[] {
  const seen = new Set<string>();
  return byChance(cases, ({ id }) => id, seed).filter((one) => {
    const { format, encryption, keySize, sectorSize, hasLargeIvs, hash, kdf } = one;
    const paths = [
      `data ${format} ${encryption} ${keySize} ${sectorSize} ${hasLargeIvs}`,
      `key ${format} ${hash} ${kdf}`,
    ];
    if (paths.every((path) => seen.has(path))) return false;
    for (const path of paths) seen.add(path);
    return true;
  });
}

function exchanged(ciphers: readonly Cipher[], isForeign: boolean): CryptCase[] {
  return FORMATS.flatMap((format) =>
    ciphers.flatMap(({ encryption, keySizes, formats = FORMATS }) =>
      (formats.includes(format) ? keySizes : []).flatMap((keySize) =>
        sectorsOf(format, isForeign).flatMap((sector) =>
          hashesOf(format, isForeign, keySize).flatMap((hash) =>
            kdfsOf(format, isForeign).map((kdf) =>
              cryptCase(
                { format, encryption, keySize, sector, hash, kdf },
                isForeign ? "cipher" : FOREIGN_HASHES.includes(hash) ? "hash" : null,
              ),
            ),
          ),
        ),
      ),
    ),
  );
}

/** What plain mode was called with before modes had names. */
function oldNames(): CryptCase[] {
  return ["aes", "aes-plain", "camellia"].map((encryption) =>
    cryptCase({ format: "plain", encryption, keySize: 32, sector: "512", hash: "sha256", kdf: "-" }, null),
  );
}

function sectorsOf(format: Format, isForeign: boolean): readonly string[] {
  if (format === "luks1" || isForeign) return ["512"];
  return format === "luks2" ? SECTORS : [...SECTORS, ...LARGE_SECTORS];
}

function hashesOf(format: Format, isForeign: boolean, keySize: number): readonly string[] {
  if (isForeign) return ["sha256"];
  if (format !== "plain") return [...HASHES, ...FOREIGN_HASHES];
  // What the hash gives may not be longer than the key.
  return PLAIN_HASHES.filter((hash) => Number(hash.split(":")[1] ?? 0) <= keySize);
}

function kdfsOf(format: Format, isForeign: boolean): readonly Kdf[] {
  if (format === "plain") return ["-"];
  return format === "luks1" || isForeign ? ["pbkdf2"] : KDFS;
}

interface CaseParts {
  readonly format: Format;
  readonly encryption: string;
  readonly keySize: number;
  readonly sector: string;
  readonly hash: string;
  readonly kdf: Kdf;
}

function cryptCase({ sector, ...parts }: CaseParts, foreign: CryptCase["foreign"]): CryptCase {
  const { format, encryption, keySize, hash, kdf } = parts;
  return {
    ...parts,
    id: [format, encryption, keySize, sector, hash, kdf].join("/"),
    sectorSize: Number.parseInt(sector, 10),
    hasLargeIvs: sector.endsWith("L"),
    foreign,
  };
}

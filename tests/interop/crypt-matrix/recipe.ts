import { hashText } from "../matrix/hash.ts";
import { Random } from "../src/random.ts";
import type { CryptCase } from "./cases.ts";

const KIB = 1024;
const SECTOR = 512;
const STRIPES = 4000;
/** Sector numbers wrap here where an initialization vector has 32 bits of them. */
const WRAP = 2 ** 32;
/** Before the wrap, in sectors of 512 bytes: a multiple of every sector size. */
const BEFORE_WRAP = 64;

/** A run of bytes of the plaintext. */
export interface Place {
  readonly offset: number;
  readonly length: number;
}

/** How a device of the matrix is made: what its id leaves open, decided by a hash of the id. Sizes and offsets are bytes. */
export interface Recipe {
  /** Of the image that has the data. */
  readonly imageSize: number;
  /** Of the image that has a detached header; null: the header stands before the data. */
  readonly headerSize: number | null;
  readonly dataOffset: number;
  /** What is written and compared: all of the plaintext, except where there is a gap. */
  readonly places: readonly Place[];
  readonly plainSize: number;
  /** The device is made of the image's two ends, with zeroes between them that nobody keeps; null: it is the image. */
  readonly gap: Place | null;
  readonly passphrase: Uint8Array;
  /** Plain mode: number, in sectors of 512 bytes, that the first sector counts as. */
  readonly skip: number;
  /** LUKS2. */
  readonly metadataSize: number;
  readonly keyslotsSize: number;
  /** Of argon2. */
  readonly cost: { readonly passes: number; readonly memoryKibibytes: number; readonly lanes: number };
}

export function recipeOf(one: CryptCase): Recipe {
  const { id, format, sectorSize, keySize } = one;
  const random = new Random(hashText(id));
  const units = Math.floor((48 * KIB) / sectorSize) + random.below(8);
  const dataSize = units * sectorSize;
  const metadataSize = 16 * KIB * 2 ** Math.floor(random.below(64) ** 2 / 512);
  const keyslotsSize = areaSize(Math.max(64, keySize)) + 4 * KIB * random.below(20);
  const isDetached = format !== "plain" && random.below(6) === 0;
  const header = headerLength(one, metadataSize, keyslotsSize, random.below(3) * 4 * KIB);
  const dataOffset =
    format === "plain"
      ? sectorSize * random.pick([0, 1, 8, 129])
      : isDetached
        ? random.pick([0, header])
        : header;
  const isFar = format !== "plain" && random.below(3) === 0;
  const nearEnd = dataOffset + dataSize;
  const farStart = isFar ? dataOffset + (WRAP - BEFORE_WRAP) * SECTOR : nearEnd;
  const farSize = isFar ? 2 * BEFORE_WRAP * SECTOR : 0;
  return {
    imageSize: nearEnd + farSize,
    headerSize: isDetached ? header : null,
    dataOffset,
    plainSize: farStart + farSize - dataOffset,
    places: isFar
      ? [
          { offset: 0, length: dataSize },
          { offset: farStart - dataOffset, length: farSize },
        ]
      : [{ offset: 0, length: dataSize }],
    gap: isFar ? { offset: nearEnd, length: farStart - nearEnd } : null,
    passphrase: passphraseOf(one, random),
    skip:
      format === "plain"
        ? random.pick([0, 8, 800, WRAP - BEFORE_WRAP, 8 * (WRAP - 8), 2 ** 40 + 8 * random.below(1000)])
        : 0,
    metadataSize,
    keyslotsSize,
    cost: { passes: 4, memoryKibibytes: 32 + random.below(32), lanes: 1 + random.below(4) },
  };
}

/** Of a keyslot: the split key, in whole blocks. */
function areaSize(keySize: number): number {
  return Math.ceil((keySize * STRIPES) / (4 * KIB)) * 4 * KIB;
}

function headerLength(
  { format, keySize }: CryptCase,
  metadataSize: number,
  keyslotsSize: number,
  spare: number,
): number {
  if (format === "luks2") return 2 * metadataSize + keyslotsSize + spare;
  // The header, and eight keyslots.
  return 4 * KIB + 8 * areaSize(keySize) + spare;
}

/** Bytes of any value for a key file; in plain mode a passphrase is typed, and ends with its line. */
function passphraseOf({ format, hash, keySize }: CryptCase, random: Random): Uint8Array {
  if (format !== "plain") return random.bytes(1 + random.below(80));
  if (hash === "key") return random.bytes(keySize);
  return random.bytes(1 + random.below(100)).map((byte) => 33 + (byte % 90));
}

/** Plain devices: nothing on the disk, all of it in the options. */
import { pairsOf } from "@cev/test-kit";
import type { Subject } from "@cev/test-kit";
import { blockCiphers } from "../../src/cipher/block-cipher.ts";
import type { BlockCipher } from "../../src/cipher/block-cipher.ts";
import { keySizesOf } from "../../src/cipher/cipher-spec.ts";
import { manifestFor, openCrypt } from "./crypt-subject.ts";

const KIB = 1024;
const DATA_SIZE = 24 * KIB;

interface Row {
  readonly cipher: BlockCipher;
  readonly mode: "xts" | "lrw" | "cbc" | "ctr" | "ecb";
  readonly iv: string;
  readonly sectorSize: number;
  readonly blockSize: 512 | 4096;
}

const rows = pairsOf<Row>(
  {
    cipher: blockCiphers(),
    mode: ["xts", "lrw", "cbc", "ctr", "ecb"],
    iv: ["plain64", "plain", "plain64be", "benbi", "null", "essiv:sha256"],
    sectorSize: [512, 4096, 1024, 2048],
    blockSize: [512, 4096],
  },
  ({ cipher, mode, iv }) => {
    // It has no vector, and is written without one.
    if (mode === "ecb") return iv === "null";
    return !iv.startsWith("essiv") || keySizesOf(`${cipher}-ecb`).includes(32);
  },
);

/** What goes with any cipher, in turn. */
const HASHES = ["sha256", "ripemd160", "sha512", "plain", "sha1"];
const PLACES = [
  // Behind the data something is left, which is none of the device's.
  { offset: 16 * KIB, skip: 3 << 20, size: DATA_SIZE },
  { offset: 0, skip: 0 },
  // Sectors begin within a page of the disk, and vectors go past 32 bits.
  { offset: 3 * 512, skip: 2 ** 41 - 36 * KIB },
];

function subjectOf({ cipher, mode, iv, sectorSize, blockSize }: Row, index: number): Subject {
  const encryption = mode === "ecb" ? `${cipher}-ecb` : `${cipher}-${mode}-${iv}`;
  const keySizes = keySizesOf(encryption);
  const keySize = keySizes[index % keySizes.length]!;
  const place = PLACES[blockSize === 512 && sectorSize === 512 ? index % 3 : index % 2]!;
  const largeIvs = sectorSize > 512 && index % 2 === 1;
  const allowDiscards = index % 3 === 0;
  const backend = index % 4 === 1 ? "ffi" : "openssl";
  const plain = {
    ...place,
    cipher: encryption,
    keySize,
    hash: HASHES[index % HASHES.length]!,
    sectorSize,
    largeIvs,
  };
  const settings = {
    options: { plain, allowDiscards, backend },
    isReadOnly: index % 11 === 10,
  };
  const words = [
    `sectors of ${sectorSize}${largeIvs ? " with large vectors" : ""}`,
    `blocks of ${blockSize}`,
    ...(allowDiscards ? ["discards"] : []),
    ...(backend === "ffi" ? ["ffi"] : []),
    ...(settings.isReadOnly ? ["read-only"] : []),
  ];
  return {
    name: `plain ${encryption} with ${keySize * 8} bits from byte ${place.offset}, ${words.join(", ")}`,
    manifest: manifestFor(settings, { encryption, sectorSize }),
    create(bench) {
      const behind = "size" in place ? 8192 : 0;
      return openCrypt(
        bench,
        [bench.lower({ size: place.offset + DATA_SIZE + behind, blockSize })],
        settings,
      );
    },
  };
}

/** Every cipher in every mode, every vector with every cipher and mode, every size of sectors with each. */
export const plainSubjects: readonly Subject[] = rows.map(subjectOf);

/** Devices with headers of LUKS, on the device itself and beside it. */
import { closeTree, openTree, writeBytes } from "@cev/core";
import type { Layer } from "@cev/core";
import { MemoryLayer, pairsOf } from "@cev/test-kit";
import type { Subject, TestBench } from "@cev/test-kit";
import { luksFormat } from "../../src/index.ts";
import type { KeyCost } from "../../src/index.ts";
import { SECRET, TestVault, manifestFor, openCrypt } from "./crypt-subject.ts";

const KIB = 1024;
const DATA_SIZE = 24 * KIB;
/** Where the data begins, of either version. */
const DATA_OFFSETS = { 1: 2048 * KIB, 2: 512 * KIB };
const HEADER_SIZE = 2112 * KIB;

interface Row {
  readonly version: 1 | 2;
  readonly encryption: "aes-xts-plain64" | "aes-cbc-essiv:sha256" | "serpent-xts-plain64" | "aes-ecb";
  readonly sectorSize: 512 | 4096;
  readonly blockSize: 512 | 4096;
  readonly isDetached: boolean;
  readonly how: "as usual" | "read-only" | "with discards";
  readonly kdf: "pbkdf2" | "argon2i" | "argon2id";
}

const COSTS: { readonly [kdf in Row["kdf"]]: KeyCost } = {
  pbkdf2: { type: "pbkdf2", hash: "sha256", iterations: 1000 },
  argon2i: { type: "argon2i", passes: 4, memoryKibibytes: 32, lanes: 1 },
  argon2id: { type: "argon2id", passes: 4, memoryKibibytes: 32, lanes: 1 },
};

const rows = pairsOf<Row>(
  {
    version: [1, 2],
    encryption: ["aes-xts-plain64", "aes-cbc-essiv:sha256", "serpent-xts-plain64", "aes-ecb"],
    sectorSize: [512, 4096],
    blockSize: [512, 4096],
    isDetached: [false, true],
    how: ["as usual", "read-only", "with discards"],
    kdf: ["pbkdf2", "argon2i", "argon2id"],
  },
  ({ version, sectorSize, kdf }) => version === 2 || (sectorSize === 512 && kdf === "pbkdf2"),
);

function subjectOf(row: Row): Subject {
  const { version, encryption, sectorSize, blockSize, isDetached, how, kdf } = row;
  const vault = new TestVault();
  const settings = {
    options: { version, ...(how === "with discards" ? { allowDiscards: true } : {}) },
    isReadOnly: how === "read-only",
    vault,
  };
  const dataOffset = isDetached ? 0 : DATA_OFFSETS[version];
  let made: Promise<Uint8Array> | null = null;
  const words = [
    `LUKS${version} ${encryption}`,
    `sectors of ${sectorSize}`,
    `blocks of ${blockSize}`,
    kdf,
    ...(isDetached ? ["detached header"] : []),
    ...(how === "as usual" ? [] : [how]),
  ];
  return {
    name: words.join(", "),
    manifest: manifestFor(settings, row),
    async create(bench) {
      const lower = bench.lower({ size: dataOffset + DATA_SIZE, blockSize });
      const header = isDetached ? bench.lower({ size: HEADER_SIZE }) : null;
      if (bench.isFirst) {
        made ??= formatted(bench, row, dataOffset);
        await writeBytes(header ?? lower, bench.environment, 0, await made, true);
      }
      return openCrypt(bench, header === null ? [lower] : [lower, header], settings);
    },
  };
}

/** The header, made once. */
async function formatted(bench: TestBench, row: Row, dataOffset: number): Promise<Uint8Array> {
  const { version, encryption, sectorSize, isDetached, kdf } = row;
  const { environment } = bench;
  const data = new MemoryLayer(environment, { size: dataOffset + DATA_SIZE });
  const header: Layer & { readonly bytes: Uint8Array } = isDetached
    ? new MemoryLayer(environment, { size: HEADER_SIZE })
    : data;
  await openTree(header);
  await luksFormat(header, {
    ...{ environment, version, encryption, keys: [SECRET], cost: COSTS[kdf] },
    ...(version === 2 ? { sectorSize } : {}),
    ...(isDetached ? { data } : { dataOffset }),
  });
  const bytes = header.bytes.slice(0, isDetached ? HEADER_SIZE : dataOffset);
  await closeTree(header);
  return bytes;
}

/** Both versions, with the header on the device and beside it. */
export const luksSubjects: readonly Subject[] = rows.map(subjectOf);

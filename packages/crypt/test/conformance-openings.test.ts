/** The contract of a layer, kept by what `openPlain` and `openLuks` make: other ciphers, places and numbering of vectors. */
import { FULL_SUPPORT, closeTree, openTree, writeBytes } from "@cev/core";
import type { KeyVault, Layer } from "@cev/core";
import { MemoryLayer, testLayer } from "@cev/test-kit";
import type { Subject, TestBench } from "@cev/test-kit";
import { afterAll, beforeAll, describe, test } from "vitest";
import { luksFormat, openLuks, openPlain } from "../src/index.ts";
import type { FormatShape, PlainSettingsGiven } from "../src/index.ts";
import { environment } from "./small-volume.ts";

const KIB = 1024;
const DATA_SIZE = 24 * KIB;
const passphrase = new TextEncoder().encode("conformance");
const cost = { type: "pbkdf2", hash: "sha256", iterations: 1000 } as const;

interface PlainCase extends PlainSettingsGiven {
  readonly allowDiscards?: boolean;
  /** Of the disk below. Default 512. */
  readonly blockSize?: number;
}

const PLAIN: readonly PlainCase[] = [
  // Behind the data something is left, which is none of the device's.
  {
    cipher: "aes-cbc-essiv:sha256",
    keySize: 32,
    hash: "ripemd160",
    offset: 16 * KIB,
    skip: 3 << 20,
    size: DATA_SIZE,
  },
  {
    cipher: "serpent-xts-plain64",
    keySize: 64,
    hash: "sha256",
    sectorSize: 4096,
    largeIvs: true,
    skip: 4096 * 5,
  },
  // Sectors begin within a page of the disk, and vectors go past 32 bits.
  {
    cipher: "twofish-xts-plain",
    keySize: 32,
    hash: "plain",
    offset: 3 * 512,
    skip: 2 ** 41 - 9 * 512,
    allowDiscards: true,
  },
  { cipher: "camellia-ctr-plain64be", keySize: 24, hash: "sha256", sectorSize: 2048, blockSize: 4096 },
];

const supportOf = (allowDiscards: boolean): Subject["manifest"]["support"] => ({
  ...FULL_SUPPORT,
  discard: allowDiscards ? "native" : "none",
  writeZeroes: "none",
});

function plainSubject({ allowDiscards = false, blockSize = 512, ...settings }: PlainCase): Subject {
  const { cipher, offset = 0, sectorSize = 512, largeIvs = false } = settings;
  return {
    name: `plain ${cipher} from byte ${offset}, sectors of ${sectorSize}${largeIvs ? " with large vectors" : ""}`,
    manifest: { support: supportOf(allowDiscards) },
    create: (bench) =>
      openPlain(
        bench.lower({ size: offset + DATA_SIZE + (settings.size === undefined ? 0 : 8192), blockSize }),
        {
          ...settings,
          environment: bench.environment,
          passphrase,
          allowDiscards,
        },
      ),
  };
}

interface LuksCase {
  readonly name: string;
  readonly shape: FormatShape;
  readonly isDetached: boolean;
}

const LUKS: readonly LuksCase[] = [
  {
    name: "LUKS2, aes-cbc-essiv in sectors of 4096",
    shape: { encryption: "aes-cbc-essiv:sha256", keySize: 16, sectorSize: 4096, dataOffset: 96 * KIB },
    isDetached: false,
  },
  {
    name: "LUKS1 with a detached header",
    shape: { version: 1, encryption: "aes-ecb", keySize: 32 },
    isDetached: true,
  },
];

/** What was derived once is derived no more: the suite opens a device some hundred times. */
class TestVault implements KeyVault {
  readonly #keys = new Map<string, Uint8Array>();

  recall(name: string): Uint8Array | null {
    const key = this.#keys.get(name);
    return key === undefined ? null : Uint8Array.from(key);
  }

  keep(name: string, key: Uint8Array): void {
    this.#keys.set(name, Uint8Array.from(key));
  }
}

function luksSubject({ name, shape, isDetached }: LuksCase): Subject {
  const dataOffset = shape.dataOffset ?? 0;
  const vault = new TestVault();
  const header = new MemoryLayer(environment, { size: isDetached ? 1536 * KIB : dataOffset + DATA_SIZE });
  const data = new MemoryLayer(environment, { size: dataOffset + DATA_SIZE });
  beforeAll(async () => {
    await openTree(header);
    const options = { ...shape, environment, keys: [passphrase], cost };
    await luksFormat(header, isDetached ? { ...options, data } : options);
  });
  afterAll(() => closeTree(header));
  const open = async (bench: TestBench, lower: Layer): Promise<Layer> => {
    const options = { environment: bench.environment, keys: [passphrase], vault };
    const { layer } = await openLuks(lower, isDetached ? { ...options, header } : options);
    return layer;
  };
  return {
    name,
    // Chained ciphers cannot read a sector of which a disk has written a part.
    manifest: { support: supportOf(false), atomicLength: shape.sectorSize ?? 512 },
    async create(bench) {
      const lower = bench.lower({ size: dataOffset + DATA_SIZE });
      if (!isDetached && bench.isFirst)
        await writeBytes(lower, bench.environment, 0, header.bytes.slice(0, dataOffset), true);
      return open(bench, lower);
    },
  };
}

for (const settings of PLAIN) testLayer(plainSubject(settings), { describe, test });
for (const luks of LUKS) testLayer(luksSubject(luks), { describe, test });

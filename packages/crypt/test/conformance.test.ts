import { FULL_SUPPORT } from "@cev/core";
import { testLayer } from "@cev/test-kit";
import type { Subject } from "@cev/test-kit";
import { describe, test } from "vitest";
import { CryptLayer } from "../src/index.ts";
import type { CryptLayerOptions } from "../src/index.ts";

const KIB = 1024;

interface Configuration {
  readonly name: string;
  readonly sectorSize?: number;
  readonly blockSize?: number;
  readonly keySize?: number;
  readonly settings?: Partial<CryptLayerOptions>;
}

const configurations: readonly Configuration[] = [
  { name: "sectors of 512" },
  {
    name: "sectors of 4096, two keys of 128 bits, discards",
    sectorSize: 4096,
    keySize: 32,
    settings: { allowDiscards: true },
  },
  { name: "sectors of 512 over blocks of 4096", blockSize: 4096 },
  // Where there is no such module it is the first one again.
  { name: "through node:ffi", settings: { backend: "ffi" } },
];

function subjectOf({
  name,
  sectorSize = 512,
  blockSize = 512,
  keySize = 64,
  settings = {},
}: Configuration): Subject {
  const discard = settings.allowDiscards === true ? "native" : "none";
  return {
    name: `crypt, ${name}`,
    manifest: { support: { ...FULL_SUPPORT, discard, writeZeroes: "none" } },
    create(bench) {
      const lower = bench.lower({ size: 96 * KIB + 32 * KIB, blockSize });
      const segment = {
        offset: 32 * KIB,
        size: null,
        ivTweak: 0,
        encryption: "aes-xts-plain64",
        sectorSize,
      };
      const volumeKey = Uint8Array.from({ length: keySize }, (_, index) => index);
      return new CryptLayer(lower, { environment: bench.environment, segment, volumeKey, ...settings });
    },
  };
}

for (const configuration of configurations) testLayer(subjectOf(configuration), { describe, test });

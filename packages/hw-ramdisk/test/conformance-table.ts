import { BufferPool, FULL_SUPPORT, environmentFrom } from "@cev/core";
import type { ConformanceTable, Subject } from "@cev/test-kit";
import { RamdiskLayer } from "../src/index.ts";

const skip = {
  durability: "memory does not survive a power cut, and does not claim to",
  errors: "there is nothing below that could fail",
};
const manifest = { support: FULL_SUPPORT, isPersistent: false, skip };
const BLOCK_SIZES = Array.from({ length: 17 }, (_, power) => 2 ** power);

const plain = BLOCK_SIZES.map((blockSize): Subject => ({
  name: `blocks of ${blockSize}`,
  manifest,
  create: ({ environment }) => new RamdiskLayer(environment, { size: 1 << 20, blockSize }),
}));

const slabs: Subject = {
  name: "memory from small slabs, an end that fills no piece of it",
  manifest,
  create: () => {
    const environment = environmentFrom(globalThis, { buffers: new BufferPool({ slabLength: 131_072 }) });
    return new RamdiskLayer(environment, { size: (1 << 20) + 512 });
  },
};

export const conformanceTable: ConformanceTable = {
  package: "@cev/hw-ramdisk",
  groups: {
    "blocks below a sector": plain.slice(0, 9),
    "blocks from a sector on": plain.slice(9),
    slabs: [slabs],
  },
  drawnCount: 3,
};

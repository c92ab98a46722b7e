import { BufferPool, FULL_SUPPORT, environmentFrom } from "@cev/core";
import { testLayer } from "@cev/test-kit";
import { describe, test } from "vitest";
import { RamdiskLayer } from "../src/index.ts";

const skip = {
  durability: "memory does not survive a power cut, and does not claim to",
  errors: "there is nothing below that could fail",
};

for (const blockSize of [1, 512, 4096, 65_536]) {
  testLayer(
    {
      name: `a ramdisk with blocks of ${blockSize}`,
      manifest: { support: FULL_SUPPORT, isPersistent: false, skip },
      create: ({ environment }) => new RamdiskLayer(environment, { size: 1 << 20, blockSize }),
    },
    { describe, test },
  );
}

testLayer(
  {
    name: "a ramdisk whose memory comes from small slabs",
    manifest: { support: FULL_SUPPORT, isPersistent: false, skip },
    create: () => {
      const environment = environmentFrom(globalThis, { buffers: new BufferPool({ slabLength: 131_072 }) });
      return new RamdiskLayer(environment, { size: (1 << 20) + 512 });
    },
  },
  { describe, test },
);

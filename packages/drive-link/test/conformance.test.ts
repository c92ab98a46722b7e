import { FULL_SUPPORT, READ_ONLY_SUPPORT } from "@cev/core";
import type { Support } from "@cev/core";
import { testLayer } from "@cev/test-kit";
import type { LowerOptions, Subject } from "@cev/test-kit";
import { describe, test } from "vitest";
import { DriveLinkLayer } from "../src/index.ts";

const KIB = 1024;

function subjectOf(
  name: string,
  lowers: readonly LowerOptions[],
  support: Support,
  isReadOnly = false,
): Subject {
  return {
    name: `drive-link, ${name}`,
    manifest: { support },
    create: (bench) =>
      new DriveLinkLayer(
        lowers.map((lower, index) => ({ name: `d${index}`, layer: bench.lower(lower) })),
        { isReadOnly },
      ),
  };
}

const subjects: readonly Subject[] = [
  subjectOf(
    "three devices of different sizes",
    [{ size: 64 * KIB }, { size: 7 * KIB }, { size: 128 * KIB }],
    FULL_SUPPORT,
  ),
  subjectOf(
    "blocks of 512 and 4096, an end that does not fill one, no discard on one of them",
    [{ size: 66 * KIB }, { size: 64 * KIB, blockSize: 4096, support: { discard: "none" } }],
    { ...FULL_SUPPORT, discard: "none" },
  ),
  subjectOf("read-only", [{ size: 64 * KIB }, { size: 32 * KIB }], READ_ONLY_SUPPORT, true),
];

for (const subject of subjects) testLayer(subject, { describe, test });

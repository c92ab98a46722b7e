import { FULL_SUPPORT, READ_ONLY_SUPPORT } from "@cev/core";
import type { Support } from "@cev/core";
import { reopenWith } from "@cev/test-kit";
import type { ConformanceTable, LowerOptions, Subject } from "@cev/test-kit";
import { DriveLinkLayer, driveLinkDriver } from "../src/index.ts";

const KIB = 1024;

interface Row {
  readonly name: string;
  readonly lowers: readonly LowerOptions[];
  readonly support?: Partial<Support>;
  readonly isReadOnly?: boolean;
  /** The options name the sizes. */
  readonly hasSizes?: boolean;
}

const unlike: readonly LowerOptions[] = [{ size: 64 * KIB }, { size: 7 * KIB }, { size: 128 * KIB }];

const rows: readonly Row[] = [
  { name: "three devices of different sizes", lowers: unlike },
  { name: "three devices of sizes that are given", lowers: unlike, hasSizes: true },
  { name: "one device", lowers: [{ size: 64 * KIB }] },
  {
    name: "blocks of 512 and 4096, an end that does not fill one, no discard on one of them",
    lowers: [{ size: 66 * KIB }, { size: 64 * KIB, blockSize: 4096, support: { discard: "none" } }],
    support: { discard: "none" },
  },
  {
    name: "blocks of 1 and 512, short requests on one of them, no FUA on the other",
    lowers: [
      { size: 63 * KIB, blockSize: 1, limits: { ioLengthMax: 5120 } },
      { size: 64 * KIB, support: { fua: "none" } },
    ],
    support: { fua: "none" },
  },
  {
    name: "neither FUA nor zeroes nor discards",
    lowers: [
      { size: 63 * KIB, support: { fua: "none", writeZeroes: "none", discard: "none" } },
      { size: 64 * KIB },
    ],
    support: { fua: "none", writeZeroes: "none", discard: "none" },
  },
  { name: "read-only", lowers: [{ size: 64 * KIB }, { size: 32 * KIB }], isReadOnly: true },
  {
    name: "one of two that may not be written",
    lowers: [
      { size: 64 * KIB },
      {
        size: 32 * KIB,
        support: { write: "none", discard: "none", writeZeroes: "none", flush: "none", fua: "none" },
      },
    ],
    support: READ_ONLY_SUPPORT,
  },
];

function subjectOf({ name, lowers, support = {}, isReadOnly = false, hasSizes = false }: Row): Subject {
  return {
    name,
    manifest: {
      support: isReadOnly ? READ_ONLY_SUPPORT : { ...FULL_SUPPORT, ...support },
      reopen: reopenWith(driveLinkDriver, { isReadOnly }),
    },
    create: (bench) =>
      new DriveLinkLayer(
        lowers.map((lower, index) => ({ name: `d${index}`, layer: bench.lower(lower) })),
        { isReadOnly, ...(hasSizes ? { sizes: lowers.map(({ size }) => size) } : {}) },
      ),
  };
}

export const conformanceTable: ConformanceTable = {
  package: "@cev/drive-link",
  groups: {
    writable: rows.slice(0, 6).map(subjectOf),
    "read-only": rows.slice(6).map(subjectOf),
  },
  drawnCount: 3,
};

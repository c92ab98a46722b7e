import { FULL_SUPPORT, READ_ONLY_SUPPORT } from "@cev/core";
import { pairsOf, reopenWith } from "@cev/test-kit";
import type { ConformanceTable, LowerOptions, Manifest, Subject } from "@cev/test-kit";
import { snapshotDriver } from "../src/index.ts";
import { openSnapshots } from "./open-snapshots.ts";

const KIB = 1024;

interface Configuration {
  readonly name: string;
  /** Which of the devices: 0 is the origin. */
  readonly device: number;
  readonly origin: LowerOptions;
  readonly stores: readonly LowerOptions[];
  readonly snapshots: readonly {
    readonly name: string;
    readonly chunkSize: number;
    readonly size?: number;
  }[];
  readonly isReadOnly?: boolean;
  readonly manifest: Manifest;
}

const ERRORS_ELSEWHERE = { errors: "each request below is one of those of a single snapshot" };
// What the store fails to keep for a snapshot costs the snapshot, not the write to the origin.
const ORIGIN: Manifest = { support: FULL_SUPPORT, canHideErrors: true };

const special: readonly Configuration[] = [
  {
    name: "the origin of one snapshot",
    device: 0,
    origin: { size: 32 * KIB },
    stores: [{ size: 64 * KIB }],
    snapshots: [{ name: "a", chunkSize: 4 * KIB }],
    manifest: ORIGIN,
  },
  {
    name: "the origin of three snapshots of unlike chunks, one of which overflows",
    device: 0,
    origin: { size: 18 * KIB },
    stores: [{ size: 48 * KIB }, { size: 24 * KIB }, { size: 48 * KIB }],
    snapshots: [
      { name: "a", chunkSize: 4 * KIB },
      { name: "b", chunkSize: 8 * KIB },
      { name: "c", chunkSize: 2 * KIB, size: 9 * KIB },
    ],
    manifest: { ...ORIGIN, skip: ERRORS_ELSEWHERE },
  },
  {
    name: "a snapshot with chunks of 4 KiB",
    device: 1,
    origin: { size: 48 * KIB },
    stores: [{ size: 64 * KIB }],
    snapshots: [{ name: "a", chunkSize: 4 * KIB }],
    manifest: { support: FULL_SUPPORT },
  },
  {
    name: "a snapshot with chunks of one sector, whose areas fill often",
    device: 1,
    origin: { size: 24 * KIB },
    stores: [{ size: 48 * KIB }],
    snapshots: [{ name: "a", chunkSize: 512 }],
    manifest: { support: FULL_SUPPORT },
  },
  {
    name: "a snapshot over blocks of 4096, with an end within a chunk",
    device: 1,
    origin: { size: 52 * KIB, blockSize: 512 },
    stores: [{ size: 256 * KIB, blockSize: 4096 }],
    snapshots: [{ name: "a", chunkSize: 16 * KIB }],
    manifest: { support: FULL_SUPPORT },
  },
  {
    name: "a snapshot in a store without FUA and zeroes that takes short requests",
    device: 1,
    origin: { size: 24 * KIB, limits: { ioLengthMax: 4 * KIB } },
    stores: [
      { size: 64 * KIB, support: { fua: "none", writeZeroes: "none" }, limits: { ioLengthMax: 4 * KIB } },
    ],
    snapshots: [{ name: "a", chunkSize: 8 * KIB }],
    manifest: { support: { ...FULL_SUPPORT, fua: "emulated", writeZeroes: "emulated" } },
  },
  {
    name: "the second snapshot of an origin that may not be written",
    device: 2,
    origin: { size: 40 * KIB, support: { write: "none", writeZeroes: "none", discard: "none" } },
    stores: [{ size: 256 * KIB }, { size: 256 * KIB }],
    snapshots: [
      { name: "a", chunkSize: 4 * KIB },
      { name: "b", chunkSize: 16 * KIB },
    ],
    manifest: { support: FULL_SUPPORT, skip: ERRORS_ELSEWHERE },
  },
  {
    name: "a snapshot, read-only",
    device: 1,
    origin: { size: 128 * KIB },
    stores: [{ size: 128 * KIB }],
    snapshots: [{ name: "a", chunkSize: 4 * KIB }],
    isReadOnly: true,
    manifest: { support: READ_ONLY_SUPPORT },
  },
];

interface Row {
  readonly device: 0 | 1;
  readonly chunkSize: number;
  readonly blockSize: 512 | 4096;
  readonly store: "of blocks alike" | "without FUA and zeroes" | "of short requests";
  readonly isReadOnly: boolean;
}

/** Origins and snapshots by chunk size, blocks and store. */
const plain = pairsOf<Row>(
  {
    device: [1, 0],
    chunkSize: [4 * KIB, 512, 16 * KIB, 64 * KIB],
    blockSize: [512, 4096],
    store: ["of blocks alike", "without FUA and zeroes", "of short requests"],
    isReadOnly: [false, true],
  },
  ({ chunkSize, blockSize }) => chunkSize >= blockSize,
).map((row): Configuration => {
  const { device, chunkSize, blockSize, store, isReadOnly } = row;
  const size = Math.max(24 * KIB, 2 * chunkSize);
  const isNeedy = store === "without FUA and zeroes";
  return {
    name: `${device === 0 ? "the origin of a snapshot" : "a snapshot"} with chunks of ${chunkSize}, blocks of ${blockSize}, a store ${store}${isReadOnly ? ", read-only" : ""}`,
    device,
    origin: { size, blockSize },
    stores: [
      {
        // A header, areas of the table, and twice what there is to copy.
        size: size * 2 + 6 * chunkSize + 8 * KIB,
        blockSize,
        ...(isNeedy ? { support: { fua: "none", writeZeroes: "none" } } : {}),
        ...(store === "of short requests" ? { limits: { ioLengthMax: 4 * KIB } } : {}),
      },
    ],
    snapshots: [{ name: "a", chunkSize }],
    isReadOnly,
    manifest: {
      ...(device === 0 ? ORIGIN : {}),
      support: isReadOnly
        ? READ_ONLY_SUPPORT
        : isNeedy && device === 1
          ? { ...FULL_SUPPORT, fua: "emulated", writeZeroes: "emulated" }
          : FULL_SUPPORT,
    },
  };
});

function subjectOf(configuration: Configuration): Subject {
  const { name, device, origin, stores, snapshots, isReadOnly = false, manifest } = configuration;
  return {
    name: `snapshot, ${name}`,
    manifest: {
      ...manifest,
      reopen: reopenWith(snapshotDriver, { isReadOnly, pick: (devices) => devices[device] }),
    },
    async create(bench) {
      const opened = await openSnapshots({
        environment: bench.environment,
        origin: bench.lower(origin),
        stores: stores.map((store) => bench.lower(store)),
        options: { snapshots },
        isReadOnly,
      });
      return opened[device]!.layer;
    },
  };
}

export const conformanceTable: ConformanceTable = {
  package: "@cev/snapshot",
  groups: {
    origins: [...special, ...plain].filter(({ device }) => device === 0).map(subjectOf),
    snapshots: plain.filter(({ device }) => device === 1).map(subjectOf),
    "snapshots of their own kind": special.filter(({ device }) => device > 0).map(subjectOf),
  },
};

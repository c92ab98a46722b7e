import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FULL_SUPPORT, READ_ONLY_SUPPORT } from "@cev/core";
import type { Support } from "@cev/core";
import { reopenWith } from "@cev/test-kit";
import type { ConformanceTable, Subject, TestBench } from "@cev/test-kit";
import { FileLayer, fileDriver, findHolePuncher } from "../src/index.ts";
import type { FileLayerSettings, HolePuncher } from "../src/index.ts";
import { memoryCalls } from "../src/memory-calls.ts";

const SUPPORT: Support = { ...FULL_SUPPORT, fua: "emulated" };
const WITHOUT_HOLES: Support = { ...SUPPORT, discard: "none", writeZeroes: "none" };
const SIZE = 262_144;
const skip = {
  durability: "the power of this machine is not cut; what a sync covers is tested call by call",
  errors: "errors of the system are tested call by call",
};

/** The folder of each test that is under way. */
const folders = new WeakMap<TestBench, string>();

/** A file that lasts as long as one test. */
async function fileOf(bench: TestBench): Promise<string> {
  let folder = folders.get(bench);
  if (folder === undefined) {
    folder = await mkdtemp(join(tmpdir(), "cev-conformance-"));
    folders.set(bench, folder);
    const made = folder;
    bench.onEnd(() => rm(made, { recursive: true }));
  }
  return join(folder, "disk.img");
}

/** Has everything but a file system that agrees. */
const refusing: HolePuncher = { punch: () => false, zero: () => false };
/** Through node:ffi, of Node 26 on Linux; null where there is none. */
export const holes: HolePuncher | null = findHolePuncher();

interface Row {
  readonly name: string;
  readonly support: Support;
  readonly settings: FileLayerSettings;
  /** The driver opens it in the same way: it has settings of its own. */
  readonly isDriver?: boolean;
  readonly writeAtOnce?: boolean;
}

const rows: readonly Row[] = [
  {
    name: "as the driver opens it",
    support: holes === null ? WITHOUT_HOLES : SUPPORT,
    settings: {},
    isDriver: true,
  },
  { name: "one call at a time", support: WITHOUT_HOLES, settings: { holes: null, queueDepthMax: 1 } },
  {
    name: "calls that end before they return",
    support: WITHOUT_HOLES,
    settings: { holes: null, calls: memoryCalls },
  },
  {
    name: "short writes at once",
    support: WITHOUT_HOLES,
    settings: { holes: null },
    writeAtOnce: true,
  },
  { name: "without holes", support: WITHOUT_HOLES, settings: { holes: null } },
  { name: "on a file system without holes", support: SUPPORT, settings: { holes: refusing } },
  ...(holes === null ? [] : [{ name: "with holes", support: SUPPORT, settings: { holes } }]),
];

function subjectOf({ name, support, settings, isDriver = false, writeAtOnce = false }: Row): Subject {
  return {
    name: `a file, ${name}`,
    manifest: { support, skip, ...(isDriver ? { reopen: reopenWith(fileDriver) } : {}) },
    async create(bench) {
      const path = await fileOf(bench);
      const ways = { ...(isDriver ? { readOnly: false } : {}), ...(writeAtOnce ? { writeAtOnce } : {}) };
      const options = { path, ...ways, create: true, size: SIZE };
      return FileLayer.at(bench.environment, options, settings);
    },
  };
}

const readOnly: Subject = {
  name: "a file opened read-only",
  manifest: { support: READ_ONLY_SUPPORT, skip, reopen: reopenWith(fileDriver) },
  async create(bench) {
    const path = await fileOf(bench);
    if (bench.isFirst) {
      const writer = await FileLayer.at(bench.environment, { path, create: true, size: 65_536 });
      await writer.open();
      await writer.close();
    }
    return FileLayer.at(bench.environment, { path, readOnly: true });
  },
};

export const conformanceTable: ConformanceTable = {
  package: "@cev/hw-file",
  groups: { writable: rows.map(subjectOf), "read-only": [readOnly] },
  drawnCount: 4,
};

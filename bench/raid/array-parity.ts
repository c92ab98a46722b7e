import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { Op, closeTree, environmentFrom, openTree } from "@cev/core";
import type { Environment } from "@cev/core";
import { RamdiskLayer } from "@cev/hw-ramdisk";
import { RaidLayer, createArray, raidDriver } from "@cev/raid";
import { median } from "../measure.ts";
import { Report } from "../report.ts";
import { ramdiskArray, throughput } from "./load.ts";
import type { ArrayShape, Load } from "./load.ts";

const KIB = 1024;
const MIB = 1 << 20;
const GIB = 2 ** 30;
const MEMBER_MIB = 128;
const CHUNK_KIB = 64;
const ROUNDS = 3;
const ORACLE = join(import.meta.dirname, "../../tests/interop/oracle/linux-oracle");
const SCRIPT = join(import.meta.dirname, "oracle-md.sh");
// How long the rebuild of a sparse array is watched.
const SPARSE_MS = 4000;

interface Contest {
  readonly name: string;
  readonly level: number;
  readonly members: number;
  /** A request of whole stripes. */
  readonly stripesKib: number;
}

const CONTESTS: readonly Contest[] = [
  { name: "RAID5 of 4", level: 5, members: 4, stripesKib: 960 },
  { name: "RAID6 of 6", level: 6, members: 6, stripesKib: 1024 },
];

/** By load: MB/s, or requests per second. */
type Figures = ReadonlyMap<string, number>;

const LOADS: readonly (readonly [key: string, title: string, atLeast: number])[] = [
  ["sequential", "sequential writes of full stripes", 1],
  ["random", "random writes of 4 KiB, 32 at once", 1],
  ["degraded-random", "random reads of 4 KiB, 32 at once, one member missing", 1],
  ["degraded", "sequential reads, one member missing", 1],
  ["rebuild", "rebuild of one member", 1],
];

/** Levels with parity over ramdisks, in units of the kernel's md over ramdisks, round after round in turn. */
export async function benchParity(report: Report): Promise<void> {
  report.title(
    `RAID with parity over ramdisks, chunks of ${CHUNK_KIB} KiB: cev, the kernel's md in the oracle, and their ratio`,
  );
  report.row("array", "cev", "md", "cev / md", "load");
  for (const contest of CONTESTS) {
    const own: Figures[] = [];
    const kernel: Figures[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      own.push(await figuresOf(contest));
      const figures = kernelFigures(contest);
      if (figures !== null) kernel.push(figures);
    }
    for (const [key, title, atLeast] of LOADS) {
      const cev = median(own.map((figures) => figures.get(key)!));
      const md = median(kernel.map((figures) => figures.get(key) ?? Number.NaN));
      const ratio = median(kernel.map((figures, round) => own[round]!.get(key)! / figures.get(key)!));
      report.row(contest.name, cev.toFixed(0), md.toFixed(0), ratio.toFixed(2), title);
      if (kernel.length > 0) report.want(`${contest.name}, ${title}: cev to md`, ratio, "at least", atLeast);
    }
  }
  await benchSparse(report);
}

async function figuresOf({ level, members, stripesKib }: Contest): Promise<Figures> {
  const environment = environmentFrom(globalThis);
  const shape: ArrayShape = {
    level,
    memberCount: members,
    memberSize: MEMBER_MIB * MIB,
    chunkSize: CHUNK_KIB * KIB,
  };
  const layer = await ramdiskArray(environment, shape);
  if (!(layer instanceof RaidLayer)) throw new Error("the driver did not open an array");
  const figures = new Map<string, number>();
  const full: Load = {
    op: Op.write,
    length: stripesKib * KIB,
    depth: 4,
    isRandom: false,
    count: Math.floor(layer.limits.size / (stripesKib * KIB)),
  };
  // What is written for the first time costs the ramdisks their memory.
  await throughput(layer, environment, full);
  figures.set(
    "sequential",
    (await throughput(layer, environment, { ...full, count: 2 * full.count })).megabytes,
  );
  const small: Load = { op: Op.write, length: 4 * KIB, depth: 32, isRandom: true, count: 60_000 };
  figures.set("random", (await throughput(layer, environment, small)).requests);
  await layer.failMember(1);
  await layer.removeMember(1);
  const smallReads = { ...small, op: Op.read, count: 100_000 };
  figures.set("degraded-random", (await throughput(layer, environment, smallReads)).requests);
  const reads: Load = { op: Op.read, length: MIB, depth: 4, isRandom: false, count: 512 };
  figures.set("degraded", (await throughput(layer, environment, reads)).megabytes);
  const spare = new RamdiskLayer(environment, { size: MEMBER_MIB * MIB });
  await openTree(spare);
  const began = performance.now();
  await layer.addMember(spare, "spare");
  await layer.idle();
  figures.set("rebuild", (MEMBER_MIB * MIB) / 1000 / (performance.now() - began));
  if (layer.array.lostCount > 0) throw new Error("the array was not rebuilt");
  await closeTree(layer);
  return figures;
}

/** Null: the oracle cannot run here. */
function kernelFigures({ level, members, stripesKib }: Contest): Figures | null {
  const variables = {
    LEVEL: level,
    MEMBERS: members,
    CHUNK_KIB,
    MEMBER_MIB,
    STRIPES_KIB: stripesKib,
  };
  const settings = Object.entries(variables).flatMap(([name, value]) => ["--env", `${name}=${value}`]);
  const memory = `${members * MEMBER_MIB + 512}M`;
  const run = spawnSync(ORACLE, ["--memory", memory, "--timeout", "60", ...settings, SCRIPT], {
    encoding: "utf8",
  });
  if (run.status !== 0) {
    console.log(`the kernel's md is left out: ${run.error?.message ?? run.stderr.trim().split("\n").at(-1)}`);
    return null;
  }
  const figures = new Map<string, number>();
  for (const line of run.stdout.trim().split("\n")) {
    const [name = "", value = ""] = line.split(" ");
    // Transfers come in KiB per second.
    figures.set(name, Number(value) * (name.includes("random") ? 1 : KIB / 1e6));
  }
  return figures;
}

/** What the rebuild of a sparse array of 1 TiB takes: the members stay sparse, the memory small. */
async function benchSparse(report: Report): Promise<void> {
  const environment = environmentFrom(globalThis);
  const shape: ArrayShape = { level: 5, memberCount: 5, memberSize: 256 * GIB + 512 * MIB };
  const layer = await sparseArray(environment, shape);
  const collect = (globalThis as { gc?: () => void }).gc;
  collect?.();
  const before = process.memoryUsage().rss;
  let most = before;
  const spare = new RamdiskLayer(environment, { size: shape.memberSize });
  await openTree(spare);
  await layer.addMember(spare, "spare");
  const end = performance.now() + SPARSE_MS;
  while (performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    most = Math.max(most, process.memoryUsage().rss);
  }
  const { done } = layer.progress!;
  const megabytes = (most - before) / 1e6;
  report.title("Rebuild of a sparse RAID5 of 1 TiB over five ramdisks");
  report.row("GB/s", "memory, MB", "spare holds, kB");
  report.row(
    (done / SPARSE_MS / 1e6).toFixed(2),
    megabytes.toFixed(0),
    (spare.bytesAllocated / 1e3).toFixed(0),
  );
  report.want("memory during the rebuild of a sparse array of 1 TiB, in MB", megabytes, "at most", 64);
  await closeTree(layer);
}

async function sparseArray(environment: Environment, shape: ArrayShape): Promise<RaidLayer> {
  const members = Array.from({ length: shape.memberCount }, (_, index) => ({
    name: `ram${index}`,
    layer: new RamdiskLayer(environment, { size: shape.memberSize }),
  }));
  for (const { layer } of members) await openTree(layer);
  await createArray({ environment, level: shape.level, members: [null, ...members.slice(1)] });
  const [opened] = await raidDriver.open({
    environment,
    options: {},
    lowers: members.slice(1),
    keySource: { keys: [] },
    isReadOnly: false,
    canWriteDegraded: true,
    directory: ".",
    report: () => undefined,
  });
  const layer = opened!.layer;
  if (!(layer instanceof RaidLayer)) throw new Error("the driver did not open an array");
  await openTree(layer);
  return layer;
}

if (import.meta.main) {
  const report = new Report();
  await benchParity(report);
  report.summary();
}

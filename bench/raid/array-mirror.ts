import { Op, closeTree, environmentFrom, openTree } from "@cev/core";
import type { Environment, Layer } from "@cev/core";
import { RamdiskLayer } from "@cev/hw-ramdisk";
import { Report } from "../report.ts";
import { ramdiskArray, throughput } from "./load.ts";
import type { ArrayShape, Load } from "./load.ts";

const MIB = 1 << 20;
const MEMBER_SIZE = 64 * MIB;
const ROUNDS = 3;

const ARRAYS: readonly (readonly [name: string, shape: ArrayShape])[] = [
  ["linear of 2", { level: -1, memberCount: 2, memberSize: MEMBER_SIZE }],
  ["raid0 of 4", { level: 0, memberCount: 4, memberSize: MEMBER_SIZE, chunkSize: 65_536 }],
  ["raid1 of 2", { level: 1, memberCount: 2, memberSize: MEMBER_SIZE }],
  [
    "raid10 n2 of 4",
    { level: 10, layout: 0x102, memberCount: 4, memberSize: MEMBER_SIZE, chunkSize: 65_536 },
  ],
  [
    "raid10 f2 of 4",
    { level: 10, layout: 0x201, memberCount: 4, memberSize: MEMBER_SIZE, chunkSize: 65_536 },
  ],
];

const LOADS: readonly (readonly [name: string, load: Load])[] = [
  ["4 KiB reads", { op: Op.read, length: 4096, depth: 32, isRandom: true, count: 60_000 }],
  ["4 KiB writes", { op: Op.write, length: 4096, depth: 32, isRandom: true, count: 40_000 }],
  ["MB/s read", { op: Op.read, length: MIB, depth: 8, isRandom: false, count: 256 }],
  ["MB/s written", { op: Op.write, length: MIB, depth: 8, isRandom: false, count: 128 }],
];

/** Levels without parity over ramdisks, beside a bare ramdisk: thousands of requests and megabytes per second, the best of a few rounds. */
export async function benchMirrors(report: Report): Promise<void> {
  report.title("RAID without parity over ramdisks (thousands of requests per second; MB/s)");
  report.row("", ...LOADS.map(([name]) => name));
  const environment = environmentFrom(globalThis);
  const bare = new RamdiskLayer(environment, { size: MEMBER_SIZE });
  await openTree(bare);
  const reference = await figuresOf(bare, environment);
  report.row("bare ramdisk", ...reference.map((figure) => figure.toFixed(0)));
  for (const [name, shape] of ARRAYS) {
    const layer = await ramdiskArray(environment, shape);
    const figures = await figuresOf(layer, environment);
    report.row(name, ...figures.map((figure) => figure.toFixed(0)));
    report.want(
      `${name}: random 4 KiB reads, against the bare ramdisk`,
      figures[0]! / reference[0]!,
      "at least",
      0.3,
    );
    await closeTree(layer);
  }
}

async function figuresOf(layer: Layer, environment: Environment): Promise<number[]> {
  // What was never written costs nothing to read.
  await throughput(layer, environment, { ...LOADS[3]![1], count: Math.floor(layer.limits.size / MIB) });
  const figures: number[] = [];
  for (const [, load] of LOADS) {
    let best = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const { requests, megabytes } = await throughput(layer, environment, load);
      best = Math.max(best, load.isRandom ? requests / 1000 : megabytes);
    }
    figures.push(best);
  }
  return figures;
}

if (import.meta.main) {
  const report = new Report();
  await benchMirrors(report);
  report.summary();
}

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { Io, Op, closeTree, environmentFrom, openTree } from "@cev/core";
import type { Environment, Layer } from "@cev/core";
import { RamdiskLayer } from "@cev/hw-ramdisk";
import { snapshotDriver } from "@cev/snapshot";
import { median } from "../measure.ts";
import { Report } from "../report.ts";

const KIB = 1024;
const MIB = 1 << 20;
const ORIGIN_MIB = 64;
const WRITE_LENGTH = 4 * KIB;
const DEPTH = 32;
const ROUNDS = 3;
const ORACLE = join(import.meta.dirname, "../../tests/interop/oracle/linux-oracle");
const SCRIPT = join(import.meta.dirname, "oracle-snapshot.sh");

/** Requests per second, by load. */
type Figures = ReadonlyMap<string, number>;

const LOADS: readonly (readonly [key: string, title: string])[] = [
  ["origin-first", "random writes to the origin, each copies its chunk of 4 KiB"],
  ["origin-large", "writes to the origin, each copies its chunk of 64 KiB"],
  ["origin-again", "random writes to the origin, all copied already"],
  ["snap-first", "random writes to the snapshot, each a chunk of 4 KiB"],
  ["snap-large", "writes to the snapshot, each copies its chunk of 64 KiB"],
  ["snap-again", "random writes to the snapshot, all in the store already"],
];

/** A classic snapshot over ramdisks: writes of 4 KiB, 32 at once, in units of the kernel's dm-snapshot over ramdisks. */
export async function benchSnapshot(report: Report): Promise<void> {
  report.title("Snapshots over ramdisks: cev, the kernel's dm-snapshot in the oracle, and their ratio");
  report.row("cev", "dm-snapshot", "ratio", "load");
  const own: Figures[] = [];
  const kernel: Figures[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    own.push(await ownFigures());
    const figures = kernelFigures();
    if (figures !== null) kernel.push(figures);
  }
  for (const [key, title] of LOADS) {
    const cev = median(own.map((figures) => figures.get(key)!));
    const theirs = median(kernel.map((figures) => figures.get(key) ?? Number.NaN));
    const ratio = median(kernel.map((figures, round) => own[round]!.get(key)! / figures.get(key)!));
    report.row(cev.toFixed(0), theirs.toFixed(0), ratio.toFixed(2), title);
    if (kernel.length > 0) report.want(`${title}: cev to dm-snapshot`, ratio, "at least", 1);
  }
}

async function ownFigures(): Promise<Figures> {
  const figures = new Map<string, number>();
  for (const [index, device] of ["origin", "snap"].entries()) {
    await withSnapshot(4 * KIB, index, async (layer, environment) => {
      figures.set(`${device}-first`, await rate(layer, environment, everyBlock()));
      figures.set(`${device}-again`, await rate(layer, environment, everyBlock()));
    });
    // So few requests are over before anything is warm.
    const large: number[] = [];
    for (let time = 0; time < 5; time++)
      await withSnapshot(64 * KIB, index, async (layer, environment) => {
        large.push(await rate(layer, environment, oneOfEach(64 * KIB)));
      });
    figures.set(`${device}-large`, median(large));
  }
  return figures;
}

/** Opens an origin with a new snapshot over ramdisks that have their memory, and gives one of the two. */
async function withSnapshot(
  chunkSize: number,
  index: number,
  run: (layer: Layer, environment: Environment) => Promise<void>,
): Promise<void> {
  const environment = environmentFrom(globalThis);
  const lowers = ["origin", "store"].map((name, which) => ({
    name,
    layer: new RamdiskLayer(environment, { size: (ORIGIN_MIB * MIB * (2 + which)) / 2 }),
  }));
  for (const { layer } of lowers) {
    await openTree(layer);
    await fill(layer, environment);
  }
  const opened = await snapshotDriver.open({
    environment,
    options: { snapshots: [{ name: "snapshot", chunkSize, size: null, isMerging: false }] },
    lowers,
    keySource: { keys: [] },
    isReadOnly: false,
    canWriteDegraded: false,
    directory: ".",
    report: () => undefined,
  });
  const { layer } = opened[index]!;
  await openTree(layer);
  await run(layer, environment);
  await closeTree(layer);
  for (const lower of lowers) await closeTree(lower.layer);
}

/** Its first chunk stays zero: a new store. */
async function fill(layer: Layer, environment: Environment): Promise<void> {
  const data = new Uint8Array(MIB);
  for (let offset = 0; offset < layer.limits.size; offset += MIB) {
    const io = new Io(environment.runQueue).prepare(Op.write, offset, MIB, data);
    const done = io.promise();
    layer.submit(io);
    await done;
    data.fill(1);
  }
}

/** Every block of the origin once, in random order. */
function everyBlock(): number[] {
  const offsets = Array.from(
    { length: (ORIGIN_MIB * MIB) / WRITE_LENGTH },
    (_, index) => index * WRITE_LENGTH,
  );
  let seed = 1;
  for (let index = offsets.length - 1; index > 0; index--) {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    const other = seed % (index + 1);
    [offsets[index], offsets[other]] = [offsets[other]!, offsets[index]!];
  }
  return offsets;
}

/** One block of each chunk. */
const oneOfEach = (chunkSize: number): number[] =>
  Array.from({ length: (ORIGIN_MIB * MIB) / chunkSize }, (_, index) => index * chunkSize);

/** Requests per second. */
async function rate(layer: Layer, environment: Environment, offsets: readonly number[]): Promise<number> {
  const data = new Uint8Array(WRITE_LENGTH * DEPTH);
  let next = 0;
  const began = performance.now();
  await new Promise<void>((resolve, reject) => {
    let active = DEPTH;
    const again = (io: Io, slot: number): void => {
      if (io.error !== null) reject(io.error);
      const offset = offsets[next++];
      if (offset === undefined) {
        if (--active === 0) resolve();
        return;
      }
      io.prepare(Op.write, offset, WRITE_LENGTH, data, slot * WRITE_LENGTH);
      io.setOwner(again, slot);
      layer.submit(io);
    };
    for (let slot = 0; slot < DEPTH; slot++) again(new Io(environment.runQueue), slot);
  });
  return (offsets.length * 1000) / (performance.now() - began);
}

/** Null: the oracle cannot run here. */
function kernelFigures(): Figures | null {
  const memory = `${ORIGIN_MIB * 4 + 512}M`;
  const options = ["--memory", memory, "--timeout", "90", "--env", `ORIGIN_MIB=${ORIGIN_MIB}`, SCRIPT];
  const run = spawnSync(ORACLE, options, { encoding: "utf8" });
  if (run.status !== 0) {
    const reason = run.error?.message ?? run.stderr.trim().split("\n").at(-1);
    console.log(`the kernel's dm-snapshot is left out: ${reason}`);
    return null;
  }
  const lines = run.stdout.trim().split("\n");
  return new Map(lines.map((line) => line.split(" ")).map(([name = "", value]) => [name, Number(value)]));
}

if (import.meta.main) {
  const report = new Report();
  await benchSnapshot(report);
  report.summary();
}

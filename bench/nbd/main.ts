import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { median } from "../measure.ts";
import type { Report } from "../report.ts";
import { benchAllocation } from "./allocation.ts";
import { Contestants } from "./contestants.ts";
import { fioLoad, nbdcopyLoad } from "./loads.ts";
import type { Load, Sample } from "./loads.ts";

const SIZE = 256 * 1024 * 1024;
const ROUNDS = 5;

/** NBD over memory, side by side with nbdkit's memory plugin and qemu-nbd over a file in memory. */
export async function benchNbd(report: Report): Promise<void> {
  const directory = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "cev-bench-"));
  const file = join(directory, "source");
  const contestants = new Contestants();
  try {
    writeFileSync(file, randomBytes(SIZE));
    await contestants.start(SIZE);
    const fill = nbdcopyLoad("write", file, SIZE);
    for (const { uri, child } of contestants.all) fill.run(uri, child.pid!);
    report.title(
      "NBD over a Unix socket: work per second in units of nbdkit's memory plugin; server time per unit likewise",
    );
    report.row("load", "", "cev", "qemu-nbd", "time: cev", "qemu-nbd");
    for (const { load, atLeast } of loads(file)) {
      if (!report.includes(load.name)) continue;
      const samples = compare(contestants, load);
      const [cev, cevTime] = ratiosTo(samples, "cev");
      const [qemu, qemuTime] = ratiosTo(samples, "qemu-nbd");
      report.row(load.name, "", ...[cev, qemu, cevTime, qemuTime].map((value) => value.toFixed(2)));
      if (atLeast !== null) report.want(`NBD, ${load.name}: cev to nbdkit`, cev, "at least", atLeast);
    }
  } finally {
    await contestants.stop();
    rmSync(directory, { recursive: true });
  }
  await benchAllocation(report);
}

function loads(file: string): { load: Load; atLeast: number | null }[] {
  return [
    { load: fioLoad("read", 1), atLeast: null },
    { load: fioLoad("read", 16), atLeast: 1.3 },
    { load: fioLoad("read", 64), atLeast: 1.3 },
    { load: fioLoad("read", 16, 4), atLeast: 1.3 },
    { load: fioLoad("write", 1), atLeast: null },
    { load: fioLoad("write", 16), atLeast: 1.1 },
    { load: fioLoad("write", 64), atLeast: 1.1 },
    { load: fioLoad("write", 16, 4), atLeast: 1.1 },
    { load: nbdcopyLoad("read", file, SIZE), atLeast: 1 },
    { load: nbdcopyLoad("write", file, SIZE), atLeast: 0.9 },
  ];
}

/** Runs the load on all in turn, round after round, so that a noisy minute hits all alike. */
function compare(contestants: Contestants, load: Load): Map<string, Sample[]> {
  const samples = new Map<string, Sample[]>(contestants.all.map(({ name }) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const { name, uri, child } of contestants.all) samples.get(name)!.push(load.run(uri, child.pid!));
  }
  return samples;
}

/** Medians of the ratios within each round: work per second, server time. */
function ratiosTo(samples: Map<string, Sample[]>, name: string): [number, number] {
  const base = samples.get("nbdkit") ?? [];
  const own = samples.get(name) ?? [];
  const ratio = (pick: (sample: Sample) => number): number =>
    median(own.slice(0, base.length).map((sample, round) => pick(sample) / pick(base[round]!)));
  return [ratio((sample) => sample.perSecond), ratio((sample) => sample.serverTime)];
}

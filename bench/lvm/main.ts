import { NoOpLayer } from "@cev/test-kit";
import { Op, SegmentMap, environmentFrom, openTree } from "@cev/core";
import type { Environment, Layer, NamedLayer } from "@cev/core";
import { RamdiskLayer } from "@cev/hw-ramdisk";
import { VolumeLayer, lvmDriver } from "@cev/lvm";
import { throughput } from "../raid/load.ts";
import type { Load } from "../raid/load.ts";
import { compare, median } from "../measure.ts";
import { Report } from "../report.ts";
import { makeLargeGroup } from "./large-group.ts";

const MIB = 1 << 20;
const ROUNDS = 7;

/** Volume groups: how long a large one takes to open, how a segment is found, and what a volume costs. */
export async function benchLvm(report: Report): Promise<void> {
  await benchOpening(report);
  await benchLookup(report);
  await benchLinear(report);
}

async function benchOpening(report: Report): Promise<void> {
  report.title("Opening a group (milliseconds, median)");
  report.row("PVs", "volumes", "ms");
  for (const shape of [
    { pvCount: 1, volumeCount: 100 },
    { pvCount: 100, volumeCount: 10_000 },
  ]) {
    const environment = environmentFrom(globalThis);
    const lowers = await makeLargeGroup(environment, shape);
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round++)
      times.push(await timeOpening(environment, lowers, shape.volumeCount));
    report.row(String(shape.pvCount), String(shape.volumeCount), median(times).toFixed(0));
    if (shape.volumeCount === 10_000)
      report.want("opening 10,000 volumes on 100 PVs, seconds", median(times) / 1000, "at most", 1);
  }
}

async function timeOpening(
  environment: Environment,
  lowers: readonly NamedLayer[],
  volumeCount: number,
): Promise<number> {
  const began = performance.now();
  const options = await lvmDriver.options["~standard"].validate({});
  if (options.issues !== undefined) throw new Error("the options are not valid");
  const opened = await lvmDriver.open({
    environment,
    options: options.value,
    lowers,
    keySource: { keys: [] },
    isReadOnly: false,
    canWriteDegraded: false,
    directory: ".",
    report: ({ message }) => {
      throw new Error(message);
    },
  });
  const took = performance.now() - began;
  if (opened.length !== volumeCount) throw new Error(`${opened.length} volumes were opened`);
  return took;
}

async function benchLookup(report: Report): Promise<void> {
  report.title("Finding the segment of an offset (nanoseconds, median)");
  report.row("segments", "ns");
  const lower = new RamdiskLayer(environmentFrom(globalThis), { size: 2 ** 33 });
  const counts = [1_000, 10_000, 100_000, 1_000_000];
  const comparison = await compare(
    counts.map((count) => {
      const map = new SegmentMap(
        Array.from({ length: count }, (_, index) => ({
          start: index * 4096,
          length: 4096,
          areas: [{ lower, start: (count - 1 - index) * 4096 }],
          stripeSize: 0,
        })),
      );
      let seed = 1;
      let sum = 0;
      return {
        name: String(count),
        run(times: number) {
          for (let time = 0; time < times; time++) {
            seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
            sum += map.indexOf((seed % count) * 4096);
          }
          if (sum < 0) throw new Error("no segment has a negative index");
        },
      };
    }),
  );
  for (const count of counts)
    report.row(String(count), comparison.result(String(count)).nanoseconds.toFixed(0));
  // Twice the steps; the rest is memory that no longer lies in the processor's caches.
  report.want(
    "finding one of 10^6 segments, against one of 10^3",
    comparison.ratio("1000000", "1000"),
    "at most",
    8,
  );
}

const LOAD: Load = { op: Op.read, length: 4096, depth: 32, isRandom: true, count: 200_000 };

async function benchLinear(report: Report): Promise<void> {
  report.title("Random 4 KiB reads (nanoseconds, median)");
  const environment = environmentFrom(globalThis);
  const bare = new RamdiskLayer(environment, { size: 64 * MIB });
  const twice = new NoOpLayer(new NoOpLayer(bare));
  const volume = new VolumeLayer({
    name: "vg0/root",
    segments: new SegmentMap([
      { start: 0, length: 32 * MIB, areas: [{ lower: bare, start: 32 * MIB }], stripeSize: 0 },
      { start: 32 * MIB, length: 16 * MIB, areas: [{ lower: bare, start: 0 }], stripeSize: 0 },
    ]),
    isReadOnly: false,
    claimant: { name: "the volume group vg0" },
    description: { options: {}, lowers: [bare] },
  });
  await openTree(bare);
  // What was never written costs nothing to read.
  await throughput(bare, environment, { op: Op.write, length: MIB, depth: 4, isRandom: false, count: 64 });
  const contestants: readonly (readonly [string, Layer])[] = [
    ["bare ramdisk", bare],
    ["two pass-through layers", twice],
    ["linear volume", volume],
  ];
  const samples = contestants.map((): number[] => []);
  for (let round = 0; round < ROUNDS * 2; round++) {
    for (const [index, [, layer]] of contestants.entries())
      samples[index]!.push(1e9 / (await throughput(layer, environment, LOAD)).requests);
  }
  for (const [index, [name]] of contestants.entries()) report.row(name, median(samples[index]!).toFixed(0));
  const ratios = samples[2]!.map((sample, round) => sample / samples[1]![round]!);
  report.want(
    "a linear volume, against two pass-through layers over the same disk",
    median(ratios),
    "at most",
    1,
  );
}

if (import.meta.main) {
  const report = new Report();
  await benchLvm(report);
  report.summary();
}

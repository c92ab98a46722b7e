import { Op } from "@cev/core";
import type { Layer } from "@cev/core";
import { CheckingLayer } from "../layers/checking-layer.ts";
import { AsyncNoOpLayer, NoOpLayer } from "../layers/no-op-layer.ts";
import { MemoryLayer } from "../layers/memory-layer.ts";
import { Bench } from "./bench.ts";
import { expectThat } from "./subject.ts";
import type { AddCheck } from "./subject.ts";
import type { Tested } from "./tested.ts";
import { randomBatch } from "./work.ts";

/** Neither the layer nor its neighbours can tell what else stands in the stack. */
export function transparencyChecks(tested: Tested, add: AddCheck): void {
  const wraps: [string, (layer: Layer) => Layer][] = [
    ["a layer that does nothing", (lower) => new NoOpLayer(lower)],
    [
      "ten of them",
      (lower) => Array.from({ length: 10 }).reduce<Layer>((below) => new NoOpLayer(below), lower),
    ],
    ["one written with async methods", (lower) => new CheckingLayer(new AsyncNoOpLayer(lower))],
  ];
  for (const [what, wrap] of wraps)
    add(`with ${what} above it and on each lower, it does the same`, () => compareRuns(tested, wrap));
}

async function compareRuns(tested: Tested, wrap: (layer: Layer) => Layer): Promise<void> {
  const plain = await observe(tested);
  const wrapped = await observe(tested, wrap);
  expectThat(plain.length === wrapped.length, "it uses another number of disks");
  plain.forEach((counts, index) =>
    expectThat(
      counts === wrapped[index],
      `disk ${index} was sent ${wrapped[index]} instead of ${counts} (reads, writes and flushes of the same work)`,
    ),
  );
}

/** Does seeded work and returns, per disk, what it was sent. */
async function observe(tested: Tested, wrap?: (layer: Layer) => Layer): Promise<string[]> {
  let sent: string[] = [];
  await Bench.run(tested, { seed: 800, ...(wrap === undefined ? {} : { wrap }) }, async (bench) => {
    const model = await bench.learn();
    const disks = bench.lowers.map(({ disk }) => disk).filter((disk) => disk instanceof MemoryLayer);
    for (const disk of disks) disk.log.length = 0;
    // One at a time: with several under way the order below may differ for good reasons.
    for (let count = 0; count < 40; count++) await randomBatch(bench, model, 1);
    await bench.compare(model, "after all requests");
    sent = disks.map(({ log }) => {
      const bytesOf = (op: Op): number =>
        log.filter((one) => one.op === op).reduce((sum, { length }) => sum + length, 0);
      const flushCount = log.filter(({ op }) => op === Op.flush).length;
      return `${bytesOf(Op.read)} ${bytesOf(Op.write)} ${flushCount}`;
    });
  });
  return sent;
}

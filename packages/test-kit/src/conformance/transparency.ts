import { IoFlag, Op, opName } from "@cev/core";
import type { Layer } from "@cev/core";
import { CheckingLayer } from "../layers/checking-layer.ts";
import { AsyncNoOpLayer, NoOpLayer } from "../layers/no-op-layer.ts";
import { MemoryLayer } from "../layers/memory-layer.ts";
import type { RequestRecord } from "../layers/memory-layer.ts";
import { Bench } from "./bench.ts";
import { expectThat } from "./subject.ts";
import type { AddCheck } from "./subject.ts";
import type { Tested } from "./tested.ts";
import { randomBatch } from "./work.ts";

const REQUEST_COUNT = 40;

/** What may stand around a layer. */
interface Wrap {
  readonly what: string;
  readonly wrap: (layer: Layer) => Layer;
  /** It completes in other turns: what the layer does at the same time, or behind a request's back, may come in another order. */
  readonly isLater?: boolean;
}

const WRAPS: readonly Wrap[] = [
  { what: "a layer that does nothing", wrap: (lower) => new NoOpLayer(lower) },
  {
    what: "ten of them",
    wrap: (lower) => Array.from({ length: 10 }).reduce<Layer>((below) => new NoOpLayer(below), lower),
  },
  {
    what: "a layer that does nothing between two that check it",
    wrap: (lower) => new CheckingLayer(new NoOpLayer(new CheckingLayer(lower))),
  },
  {
    what: "one written with async methods",
    wrap: (lower) => new CheckingLayer(new AsyncNoOpLayer(lower)),
    isLater: true,
  },
];

/** Neither the layer nor its neighbours can tell what else stands in the stack. */
export function transparencyChecks(tested: Tested, add: AddCheck): void {
  for (const one of WRAPS)
    add(`with ${one.what} above it and on each lower, it does the same`, () => compareRuns(tested, one));
}

/** Of each disk, what each request of the work made of it. */
type Sent = readonly (readonly RequestRecord[])[];

async function compareRuns(tested: Tested, { wrap, isLater = false }: Wrap): Promise<void> {
  const plain = await tested.once("plain work", () => observe(tested));
  const wrapped = await observe(tested, wrap);
  expectThat(plain.length === wrapped.length, "it uses another number of disks");
  plain.forEach((sent, disk) => {
    const before = isLater ? sumsOf(sent) : sent.map(textsOf);
    const after = isLater ? sumsOf(wrapped[disk]!) : wrapped[disk]!.map(textsOf);
    const at = before.findIndex((one, index) => one !== after[index]);
    expectThat(at < 0, `disk ${disk} was sent ${after[at]} instead of ${before[at]} by the same work`);
  });
}

/** Does seeded work and returns, per disk, what it was sent. */
async function observe(tested: Tested, wrap?: (layer: Layer) => Layer): Promise<readonly Sent[]> {
  const sent: RequestRecord[][][] = [];
  await Bench.run(tested, { seed: 800, ...(wrap === undefined ? {} : { wrap }) }, async (bench) => {
    const model = await bench.learn();
    const disks = bench.lowers.map(({ disk }) => disk).filter((disk) => disk instanceof MemoryLayer);
    disks.forEach((_disk, index) => void (sent[index] = []));
    // One at a time: with several under way the order below may differ for good reasons.
    for (let count = 0; count < REQUEST_COUNT; count++) {
      for (const { log } of disks) log.length = 0;
      await randomBatch(bench, model, 1);
      disks.forEach(({ log }, index) => sent[index]!.push([...log]));
    }
    await bench.compare(model, "after all requests");
  });
  return sent;
}

function textsOf(records: readonly RequestRecord[]): string {
  return records.length === 0 ? "nothing" : records.map(textOf).join(", ");
}

function textOf({ op, flags, offset, length }: RequestRecord): string {
  if (op === Op.flush) return "flush";
  return `${opName(op)}${(flags & IoFlag.fua) === 0 ? "" : " with FUA"} of ${length} bytes at ${offset}`;
}

/** How much was read and written, and how often it was flushed. */
function sumsOf(sent: Sent): string[] {
  const all = sent.flat();
  const bytesOf = (op: Op): number =>
    all.filter((one) => one.op === op).reduce((sum, { length }) => sum + length, 0);
  const flushCount = all.filter(({ op }) => op === Op.flush).length;
  return [`reads of ${bytesOf(Op.read)}`, `writes of ${bytesOf(Op.write)}`, `${flushCount} flushes`];
}

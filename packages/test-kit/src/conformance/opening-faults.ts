import { Op, isCevError } from "@cev/core";
import type { ModelDevice } from "../model-device.ts";
import { Bench } from "./bench.ts";
import { expectThat } from "./subject.ts";
import type { Kept, Tested } from "./tested.ts";
import { randomBatch } from "./work.ts";

const SEED = 560;
// More than that are tried in even steps, the first and the last among them.
const PLACES_MAX = 24;

/** How many requests of each lower opening and closing make when nothing fails, from where, and what the layer holds then. */
interface Rehearsal {
  readonly kept: Kept;
  readonly model: ModelDevice;
  readonly opening: readonly number[];
  readonly closing: readonly number[];
}

/** Makes requests below fail while the layer is being made and opened: it opens all the same, or fails and leaves nothing behind. */
export async function openingSweep(tested: Tested): Promise<void> {
  const { kept, model, opening } = await tested.once("opening", () => rehearse(tested));
  for (const { lower, count } of placesOf(opening)) {
    const faultAt = { lower, count };
    const when = `when request ${count} to lower ${lower} failed while it was opened`;
    await Bench.run(tested, { seed: SEED, kept, faultAt, isOpened: false }, async (bench) => {
      const error = await bench.start().then(
        () => null,
        (thrown: unknown) => thrown,
      );
      bench.lowers[lower]?.fault.reset();
      if (error !== null) {
        expectCode(error, when);
        bench.checkLeft(when);
        await bench.startAgain();
      }
      await bench.compare(model, when);
      await bench.stop();
    });
  }
}

/** Makes requests below fail while the layer is being closed: nothing that was flushed is lost, and nothing is left claimed. */
export async function closingSweep(tested: Tested): Promise<void> {
  const { kept, model, closing } = await tested.once("opening", () => rehearse(tested));
  for (const { lower, count } of placesOf(closing)) {
    const when = `when request ${count} to lower ${lower} failed while it was closed`;
    await Bench.run(tested, { seed: SEED, kept, isOpened: false }, async (bench) => {
      await bench.start();
      const now = await worked(bench, model);
      const { fault } = bench.lowers[lower]!;
      fault.add({ fault: { kind: "error", code: "CEV_IO" }, skipCount: count - 1, countMax: 1 });
      const before = fault.faultCount;
      const error = await bench.close();
      // Where something else stands between, such as a server, that one closes in its own time.
      const isItsOwn = bench.layer.lowers.length > 0 && fault.faultCount > before;
      const isHidden = error === null && isItsOwn && tested.manifest.canHideErrors !== true;
      expectThat(!isHidden, `${when}, closing succeeded all the same`);
      if (error !== null) expectCode(error, when);
      fault.reset();
      bench.checkLeft(when);
      await bench.startAgain();
      await bench.compare(now, when);
      await bench.stop();
    });
  }
}

async function rehearse(tested: Tested): Promise<Rehearsal> {
  let model: ModelDevice | null = null;
  const kept = await Bench.keep(tested, { seed: SEED }, async (bench) => {
    model = await bench.learn();
    for (let count = 0; count < 3; count++) await randomBatch(bench, model, 4);
  });
  expectThat(kept !== null && model !== null, "it keeps nothing");
  let opening: number[] = [];
  let closing: number[] = [];
  await Bench.run(tested, { seed: SEED, kept, isOpened: false }, async (bench) => {
    await bench.start();
    opening = countsOf(bench);
    await worked(bench, model!);
    const before = countsOf(bench);
    await bench.stop();
    closing = countsOf(bench).map((count, index) => count - before[index]!);
  });
  return { kept, model, opening, closing };
}

/** Something to lose: a block and whatever goes with it, flushed. */
async function worked(bench: Bench, before: ModelDevice): Promise<ModelDevice> {
  const model = before.copy();
  const { support } = bench.top;
  if (support.write !== "none") {
    const data = bench.random.bytes(bench.blockSize);
    await bench.succeed(Op.write, 0, data.length, { data });
    model.write(0, data);
  }
  if (support.flush !== "none") await bench.succeed(Op.flush, 0, 0);
  return model;
}

const countsOf = (bench: Bench): number[] => bench.lowers.map(({ fault }) => fault.requestCount);

function placesOf(counts: readonly number[]): { lower: number; count: number }[] {
  return counts.flatMap((total, lower) => {
    const step = Math.max(1, (total - 1) / (PLACES_MAX - 1));
    const tried = Array.from(
      { length: Math.min(total, PLACES_MAX) },
      (_, index) => 1 + Math.round(index * step),
    );
    return tried.map((count) => ({ lower, count }));
  });
}

function expectCode(error: unknown, when: string): void {
  expectThat(isCevError(error) && error.code !== "CEV_PROGRAM", `${when}, it said: ${String(error)}`);
}

import { Device, EventState, Io, Op, opName } from "@cev/core";
import type { Environment, Layer } from "@cev/core";
import type { ModelDevice } from "../model-device.ts";
import { Bench, unexpected } from "./bench.ts";
import { BenchDisk } from "./bench-disk.ts";
import { DeferringLayer } from "./deferring-layer.ts";
import { LateReadsLayer } from "./late-reads-layer.ts";
import { deniedBy } from "./left-out.ts";
import { expectThat } from "./subject.ts";
import type { AddCheck } from "./subject.ts";
import type { Tested } from "./tested.ts";
import { closeLoaded, expectRead, offeredOps, randomBatch, randomRanges } from "./work.ts";
import type { Range } from "./work.ts";

const deferring = (layer: Layer, environment: Environment): Layer => new DeferringLayer(layer, environment);

const deferringBelow = (layer: Layer, environment: Environment): Layer =>
  layer instanceof BenchDisk ? new DeferringLayer(layer, environment) : layer;

/** Completions that take turns: whoever stands below or above holds the chain, and nobody goes on without it. */
export function deferralChecks(tested: Tested, add: AddCheck): void {
  add("over lowers, and under a layer, that defer and hold completions it does what a plain array does", () =>
    Bench.run(tested, { wrap: deferring, seed: 640 }, deferredWork),
  );
  add("closing waits for completions that are held below", () =>
    Bench.run(tested, { wrap: deferringBelow, seed: 650 }, async (bench) =>
      closeLoaded(bench, await Device.open(bench.top, bench.environment)),
    ),
  );
  add(
    "a read that comes back from below only after what it read was overtaken by a flush gives what had been written",
    () => lateReads(tested),
    deniedBy(tested, "write") ?? deniedBy(tested, "flush"),
  );
  add("while an action above holds a request nobody is told that it is done, and others are served", () =>
    Bench.run(tested, { completion: "random", seed: 660 }, holdingAbove),
  );
  add("an action above finds the data that was read, and its request as it sent it", () =>
    Bench.run(tested, { completion: "random", seed: 670 }, lookingFromAbove),
  );
  add("an action above that throws costs its own request alone", () =>
    Bench.run(tested, { completion: "later", seed: 680 }, throwingAbove),
  );
}

async function deferredWork(bench: Bench): Promise<void> {
  const model = await bench.learn();
  for (let count = 0; count < 12; count++) await randomBatch(bench, model, 5);
  await bench.compare(model, "after all requests");
}

/** Who keeps writes back drops them when they are below: a read that was there earlier does not have them. */
async function lateReads(tested: Tested): Promise<void> {
  const late: LateReadsLayer[] = [];
  const wrap = (layer: Layer): Layer => {
    if (!(layer instanceof BenchDisk)) return layer;
    const one = new LateReadsLayer(layer);
    late.push(one);
    return one;
  };
  await Bench.run(tested, { wrap, seed: 690 }, async (bench) => {
    if (late.length === 0) return;
    const model = await bench.learn();
    for (const { offset, length } of randomRanges(bench, 4)) {
      const data = bench.random.bytes(length);
      await bench.succeed(Op.write, offset, length, { data });
      model.write(offset, data);
      for (const one of late) one.isCatching = true;
      const read = bench.submit(Op.read, offset, length);
      await bench.turns(() => read.state === EventState.done || late.some((one) => one.heldCount > 0));
      for (const one of late) one.isCatching = false;
      const flush = bench.submit(Op.flush, 0, 0);
      // The flush may as well wait for the read.
      await bench.turns(() => flush.state === EventState.done);
      for (const one of late) one.release();
      for (const io of [read, flush]) {
        await bench.ended(io);
        if (io.error !== null) throw unexpected(io);
      }
      const at = model.firstDifference(offset, read.data);
      const when = "that was under way below when a flush came, gave a wrong byte";
      expectThat(at < 0, `a read of ${length} bytes at ${offset}, ${when} at ${at}`);
    }
  });
}

async function holdingAbove(bench: Bench): Promise<void> {
  const model = await bench.learn();
  for (const op of offeredOps(bench.top.support)) {
    const [range] = randomRanges(bench, 1);
    const seen: string[] = [];
    const { io, data } = prepared(bench, op, range!);
    io.pushAction(() => seen.push("older action"), null);
    io.pushAction((held) => {
      seen.push("held");
      held.hold();
    }, null);
    io.wait(() => seen.push("waiter"), null);
    bench.top.submit(io);
    await bench.until(
      // The layer may hold it too.
      () => seen.length > 0 || io.state === EventState.done,
      `(${opName(op)} of ${range!.length} bytes at ${range!.offset}) did not complete`,
    );
    const what = `${opName(op)} of ${range!.length} bytes at ${range!.offset}`;
    expectThat(seen.join() === "held", `an action above held ${what}, and the end ran as: ${seen.join()}`);
    note(model, op, range!, data);
    // Whoever holds may need the same range to go on.
    await checkRange(bench, model, range!);
    await bench.turns(() => io.state !== EventState.held);
    const { state } = io;
    expectThat(state === EventState.held, `the chain of ${what} went on before it was resumed`);
    io.resume();
    await bench.ended(io);
    expectThat(
      seen.join() === "held,older action,waiter",
      `after it was held, the end of ${what} ran as: ${seen.join()}`,
    );
  }
  await bench.compare(model, "after requests that were held above");
}

async function lookingFromAbove(bench: Bench): Promise<void> {
  const model = await bench.learn();
  for (const op of offeredOps(bench.top.support)) {
    for (const range of randomRanges(bench, 4)) {
      const { io, data } = prepared(bench, op, range);
      let finding = "no action ran";
      io.pushAction((done) => (finding = lookedAt(done, op, range, model)), null);
      // Straight to the layer: a checking layer in between would find some of it, and say less.
      bench.layer.submit(io);
      await bench.ended(io);
      expectThat(finding === "", finding);
      note(model, op, range, data);
    }
  }
  await bench.compare(model, "after requests that were looked at from above");
}

function lookedAt(io: Io, op: Op, { offset, length }: Range, model: ModelDevice): string {
  const what = `when the action above ran, ${opName(op)} of ${length} bytes at ${offset}`;
  if (io.error !== null) return `${what} had failed: ${io.error.message}`;
  if (io.op !== op || io.offset !== offset || io.length !== length)
    return `${what} was ${opName(io.op)} of ${io.length} bytes at ${io.offset}`;
  const at = op === Op.read ? model.firstDifference(offset, io.data) : -1;
  return at < 0 ? "" : `${what} did not hold its data yet: byte ${at} was wrong`;
}

async function throwingAbove(bench: Bench): Promise<void> {
  const model = await bench.learn();
  for (const op of offeredOps(bench.top.support)) {
    const [range] = randomRanges(bench, 1);
    const { io, data } = prepared(bench, op, range!);
    io.pushAction(() => {
      throw new Error("an action of the test threw");
    }, null);
    bench.top.submit(io);
    await bench.ended(io);
    const code = io.error?.code;
    expectThat(
      code === "CEV_PROGRAM",
      `${opName(op)}, whose action above threw, ended with ${code ?? "success"}`,
    );
    note(model, op, range!, data);
    await checkRange(bench, model, range!);
    await randomBatch(bench, model, 3);
  }
  await bench.compare(model, "after actions above that threw");
}

function prepared(bench: Bench, op: Op, { offset, length }: Range): { io: Io; data: Uint8Array } {
  const data = op === Op.write ? bench.random.bytes(length) : new Uint8Array(length);
  return { io: new Io(bench.environment.runQueue).prepare(op, offset, length, data), data };
}

/** The request has been done. */
function note(model: ModelDevice, op: Op, { offset, length }: Range, data: Uint8Array): void {
  if (op === Op.write) model.write(offset, data);
  else if (op === Op.writeZeroes) model.writeZeroes(offset, length);
  else if (op === Op.discard) model.forget(offset, length);
}

/** The range is read, and written once more where it can be. */
async function checkRange(bench: Bench, model: ModelDevice, { offset, length }: Range): Promise<void> {
  expectRead(model, offset, (await bench.succeed(Op.read, offset, length)).data);
  if (bench.top.support.write === "none") return;
  const data = bench.random.bytes(length);
  await bench.succeed(Op.write, offset, length, { data });
  model.write(offset, data);
}

import { EventState, IoFlag, Op, opName } from "@cev/core";
import type { Io } from "@cev/core";
import { MemoryLayer } from "../layers/memory-layer.ts";
import { Bench } from "./bench.ts";
import { expectThat, fail } from "./subject.ts";
import type { AddCheck } from "./subject.ts";
import type { Tested } from "./tested.ts";
import { expectOldOrNew, offeredOps, randomRanges } from "./work.ts";

const STEPS_MAX = 200;

/** Cancelling, at every moment of a request's life. */
export function cancelChecks(tested: Tested, add: AddCheck): void {
  for (const mode of ["honoured", "ignored"] as const)
    add(
      `cancelled at any moment, over disks by which that is ${mode}, a request ends once, cancelled or done, and the layer works on`,
      () => Bench.run(tested, { seed: 700 }, (bench) => cancelEverywhere(bench, mode)),
    );
  add("of requests under way together, those that nobody cancelled succeed", () =>
    Bench.run(tested, { completion: "later", seed: 710 }, cancelOthers),
  );
}

/** Of several requests every other one is cancelled. The rest must not notice. */
async function cancelOthers(bench: Bench): Promise<void> {
  const ops = offeredOps(bench.top.support);
  for (let round = 0; round < 6; round++) {
    const ranges = randomRanges(bench, 6);
    const ios = ranges.map(({ offset, length }, index) =>
      bench.submit(ops[(round + index) % ops.length]!, offset, length, { data: new Uint8Array(length) }),
    );
    ios.forEach((io, index) => {
      if (index % 2 === round % 2) io.cancel();
    });
    for (const [index, io] of ios.entries()) {
      await bench.ended(io);
      const what = `${opName(io.op)} of ${io.length} bytes at ${io.offset}`;
      expectThat(
        io.error === null || index % 2 === round % 2,
        `${what} failed with ${io.error?.code}; another was cancelled`,
      );
    }
  }
}

async function cancelEverywhere(bench: Bench, mode: "honoured" | "ignored"): Promise<void> {
  const { support } = bench.top;
  const { blockSize, lengthMax, size } = bench;
  const length = Math.min(lengthMax, Math.max(blockSize, Math.floor(size / 5 / blockSize) * blockSize));
  const requests = offeredOps(support).map((op) => ({ op, length, flags: 0 }));
  if (support.flush !== "none") requests.push({ op: Op.flush, length: 0, flags: 0 });
  if (support.fua !== "none") requests.push({ op: Op.write, length: blockSize, flags: IoFlag.fua });
  for (const request of requests) {
    for (let step = 0; step < STEPS_MAX; step++) {
      if (!(await cancelAt(bench, request, step, mode))) break;
    }
  }
}

interface Request {
  readonly op: Op;
  readonly length: number;
  readonly flags: number;
}

/** Cancels a request after `step` requests below have completed. False when it had ended by then. */
async function cancelAt(
  bench: Bench,
  { op, length, flags }: Request,
  step: number,
  mode: "honoured" | "ignored",
): Promise<boolean> {
  const model = await bench.learn();
  setDisks(bench, "byHand", mode);
  const data = op === Op.write ? bench.random.bytes(length) : new Uint8Array(length);
  const io = bench.submit(op, 0, length, { data, flags });
  for (let count = 0; count < step && io.state !== EventState.done; count++) await completeOne(bench, io);
  const isUnderWay = io.state !== EventState.done;
  io.cancel();
  await drain(bench, io);
  setDisks(bench, "atOnce", "honoured");
  const when = `after ${opName(op)} was cancelled at step ${step}`;
  const code = io.error?.code;
  if (code !== undefined && code !== "CEV_CANCELLED") fail(`${when}, it ended with ${code}`);
  if (op === Op.read && code === undefined)
    expectThat(model.firstDifference(0, data) < 0, `${when}, it succeeded with wrong data`);
  if (op === Op.discard) model.forget(0, length);
  else if (op === Op.write || op === Op.writeZeroes) {
    if (code === undefined) model.write(0, data);
    else await expectOldOrNew(bench, model, { offset: 0, length }, data, when);
  }
  await bench.compare(model, when);
  bench.checkContract();
  return isUnderWay;
}

const disksOf = (bench: Bench): MemoryLayer[] =>
  bench.lowers.map(({ disk }) => disk).filter((disk) => disk instanceof MemoryLayer);

function setDisks(bench: Bench, completion: "atOnce" | "byHand", cancel: "honoured" | "ignored"): void {
  for (const disk of disksOf(bench)) {
    disk.completion = completion;
    disk.cancelMode = cancel;
    // What a layer does of its own accord may be on its way still.
    if (completion === "atOnce") disk.completeAll();
  }
}

/** Completes one of the requests below, once there is one. */
async function completeOne(bench: Bench, io: Io): Promise<void> {
  const disks = disksOf(bench);
  await bench.turns(() => io.state === EventState.done || disks.some(({ pending }) => pending.length > 0));
  const waiting = disks.filter(({ pending }) => pending.length > 0);
  if (waiting.length === 0) return;
  const disk = bench.random.pick(waiting);
  disk.completeNext(bench.random.below(disk.pending.length));
}

/** Completes everything below until the request has ended and nothing of it is left. */
async function drain(bench: Bench, io: Io): Promise<void> {
  const disks = disksOf(bench);
  if (disks.length === 0) await bench.ended(io);
  const isQuiet = (): boolean => io.state === EventState.done && bench.lowers.every(isIdle);
  for (let rounds = 0; rounds < 2000 && !isQuiet(); rounds++) {
    await bench.turns(() => isQuiet() || disks.some(({ pending }) => pending.length > 0));
    for (const disk of disks) disk.completeAll();
  }
  expectThat(io.state === EventState.done, `(${opName(io.op)}) did not complete after it was cancelled`);
}

const isIdle = ({ checking }: Bench["lowers"][number]): boolean => checking.inFlightCount === 0;

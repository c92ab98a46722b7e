import { EventState, Io, Op, opName } from "@cev/core";
import type { CevError } from "@cev/core";
import { hashOf } from "../bytes.ts";
import { Bench, unexpected } from "./bench.ts";
import { expectThat } from "./subject.ts";
import { deniedBy } from "./left-out.ts";
import type { AddCheck } from "./subject.ts";
import type { Tested } from "./tested.ts";
import { offeredOps, randomBatch, randomRanges } from "./work.ts";
import type { Range } from "./work.ts";

const RESUBMISSIONS = 5000;

/** How requests end. */
export function completionChecks(tested: Tested, add: AddCheck): void {
  add("actions run last in first out, before the request is up to date and anybody is woken, each once", () =>
    Bench.run(tested, { completion: "random", seed: 600 }, orderOfEnd),
  );
  add(
    "memory belongs to the caller again afterwards, and write data is never altered, not even meanwhile",
    () => Bench.run(tested, { completion: "random", seed: 610 }, memoryAfterwards),
  );
  add(
    "a request that is submitted again from its own completion, thousands of times, overflows nothing",
    () => Bench.run(tested, { seed: 620 }, resubmission),
    deniedBy(tested, "read"),
  );
  add("a request completes exactly once", () =>
    Bench.run(tested, { completion: "random", seed: 605 }, exactlyOnce),
  );
  add(
    "each of several waiters is woken once: those that share first, then the exclusive ones, last the owner",
    () => Bench.run(tested, { completion: "later", seed: 606 }, severalWaiters),
  );
}

async function orderOfEnd(bench: Bench): Promise<void> {
  for (const op of offeredOps(bench.top.support)) {
    for (const { offset, length } of randomRanges(bench, 6)) {
      const seen: string[] = [];
      const data = op === Op.write ? bench.random.bytes(length) : new Uint8Array(length);
      const io = new Io(bench.environment.runQueue).prepare(op, offset, length, data);
      const note = (done: Io, name: string): void => {
        seen.push(done.isUpToDate ? `${name} when up to date` : name);
      };
      io.pushAction(note, "older action");
      io.pushAction(note, "newer action");
      io.wait(() => note(io, "waiter"), null);
      io.setOwner(() => note(io, "owner"), null);
      bench.top.submit(io);
      await bench.ended(io);
      await bench.turns(() => false);
      if (io.error !== null) throw unexpected(io);
      expectThat(
        seen.join() === "newer action,older action,waiter when up to date,owner when up to date",
        `the end of ${opName(op)} ran as: ${seen.join()}`,
      );
    }
  }
}

/** The request itself counts: what completes it a second time would otherwise only surface as somebody else's error. */
async function exactlyOnce(bench: Bench): Promise<void> {
  const twice: string[] = [];
  for (const op of offeredOps(bench.top.support))
    for (const { offset, length } of randomRanges(bench, 4)) {
      const io = new Io(bench.environment.runQueue).prepare(op, offset, length, new Uint8Array(length));
      io.complete = (error?: CevError | null): void => {
        if (io.state === EventState.pending) Io.prototype.complete.call(io, error);
        else twice.push(`${opName(op)} of ${length} bytes at ${offset}`);
      };
      bench.layer.submit(io);
      await bench.ended(io);
      await bench.turns(() => false);
    }
  expectThat(twice.length === 0, `completed twice: ${twice.join("; ")}`);
}

async function severalWaiters(bench: Bench): Promise<void> {
  for (const op of offeredOps(bench.top.support)) {
    const [{ offset, length }] = randomRanges(bench, 1) as [Range];
    const seen: string[] = [];
    const io = new Io(bench.environment.runQueue).prepare(op, offset, length, new Uint8Array(length));
    const note = (_io: Io, name: string): void => void seen.push(name);
    io.setOwner(note, "owner");
    io.waitExclusive(note, "exclusive 1");
    io.wait(note, "1");
    io.waitExclusive(note, "exclusive 2");
    io.wait(note, "2");
    io.wait(note, "3");
    bench.top.submit(io);
    await bench.ended(io);
    await bench.turns(() => false);
    expectThat(
      seen.join() === "1,2,3,exclusive 2,exclusive 1,owner",
      `those who waited for ${opName(op)} were woken as: ${seen.join()}`,
    );
  }
}

async function memoryAfterwards(bench: Bench): Promise<void> {
  const { random } = bench;
  const canWrite = bench.top.support.write !== "none";
  const model = await bench.learn();
  for (let round = 0; round < 6; round++) {
    const requests = randomRanges(bench, 5).map(({ offset, length }) => {
      const op = canWrite && random.chance(0.6) ? Op.write : Op.read;
      const data = random.bytes(length);
      const hash = hashOf(data);
      return { io: bench.submit(op, offset, length, { data }), data, hash };
    });
    while (requests.some(({ io }) => io.state !== EventState.done)) {
      for (const { io, data, hash } of requests)
        expectThat(io.op !== Op.write || hashOf(data) === hash, "the data of a write was altered under way");
      const [slow] = requests.filter(({ io }) => io.state !== EventState.done);
      await bench.turns(() => slow!.io.state === EventState.done);
    }
    // The caller uses its memory for something else: nobody may touch it, or take it for the data.
    const marks = requests.map(({ io, data }) => {
      if (io.op === Op.write) model.write(io.offset, data);
      return hashOf(random.fill(data));
    });
    await randomBatch(bench, model, 3);
    requests.forEach(({ data }, index) =>
      expectThat(hashOf(data) === marks[index], "memory was touched after its request had completed"),
    );
  }
  await bench.compare(model, "after the memory was used again");
}

async function resubmission(bench: Bench): Promise<void> {
  const { top, blockSize } = bench;
  const io = new Io(bench.environment.runQueue);
  const data = new Uint8Array(blockSize);
  let left = RESUBMISSIONS;
  await new Promise<void>((resolve, reject) => {
    const again = (done: Io): void => {
      if (done.error !== null) return reject(unexpected(done));
      if (left-- === 0) return resolve();
      done.prepare(Op.read, 0, blockSize, data);
      done.setOwner(again, null);
      top.submit(done);
    };
    again(io);
  });
}

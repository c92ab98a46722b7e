import { IoFlag, Op, opName } from "@cev/core";
import type { Io } from "@cev/core";
import { Bench } from "./bench.ts";
import { withoutMemory } from "./full-pool.ts";
import { LOSES_ALL, NO_REDUNDANCY } from "./left-out.ts";
import { closingSweep, openingSweep } from "./opening-faults.ts";
import { expectThat } from "./subject.ts";
import type { AddCheck } from "./subject.ts";
import { sweep } from "./sweep.ts";
import type { SweepSettings } from "./sweep.ts";
import type { Tested } from "./tested.ts";
import { offeredOps, randomBatch, randomRanges } from "./work.ts";

const LATE_MS = 1;

const SWEEPS: readonly (readonly [string, SweepSettings])[] = [
  ["the first request below fails", { fault: { kind: "error", code: "CEV_IO" } }],
  ["the first request below finds a bad spot", { fault: { kind: "error", code: "CEV_MEDIUM" } }],
  [
    "the first request below fails although it was done",
    // To a reader that is the same as any other error.
    { fault: { kind: "errorAfter", code: "CEV_IO" }, fits: (op) => op !== Op.read },
  ],
  [
    "the first request below is done by half",
    { fault: { kind: "half", code: "CEV_IO" }, fits: (op, isLong) => isLong && op <= Op.write },
  ],
  [
    "the first two requests to a lower fail",
    { fault: { kind: "error", code: "CEV_IO" }, inRow: 2, fits: (_op, isLong) => !isLong },
  ],
];

/** Errors from below, in every place. */
export function errorChecks(tested: Tested, add: AddCheck): void {
  const { lostLowersMax = 0, isPersistent = true, atomicLength = 0 } = tested.manifest;
  for (const [what, settings] of SWEEPS)
    add(
      `${what}, then the next, until none is left: the error arrives, and nothing else changes`,
      () => sweep(tested, settings),
      settings.fault.kind === "half" && atomicLength > 512
        ? `a half may end within what its disks write at once (atomicLength is ${atomicLength})`
        : null,
    );
  add(
    `any ${Math.max(1, lostLowersMax)} of its lowers may be lost under load, and every request still succeeds`,
    () => surviving(tested, lostLowersMax),
    lostLowersMax > 0 ? null : NO_REDUNDANCY,
  );
  add("a lower that is lost fails requests, but none hangs, and the layer can be closed", () =>
    Bench.run(tested, { completion: "later", seed: 520 }, losing),
  );
  add(
    "lowers by which requests hang, and which then are lost, end all requests, and the layer can be closed",
    () => Bench.run(tested, { seed: 540 }, hangingThenLost),
  );
  add("requests below that are late change nothing", () =>
    Bench.run(tested, { completion: "later", seed: 550 }, lateWork),
  );
  add(
    "a request that comes when the buffer pool is empty fails, or goes on when there is memory again, and none is lost",
    () => Bench.run(tested, { seed: 580 }, withoutMemory),
  );
  const without = isPersistent ? null : LOSES_ALL;
  add(
    "requests below fail while it is opened: it opens and holds what it held, or fails, leaves nothing claimed, and opens later",
    () => openingSweep(tested),
    without,
  );
  add(
    "requests below fail while it is closed: that is told, what was flushed is there, and nothing is left claimed",
    () => closingSweep(tested),
    without,
  );
}

async function surviving(tested: Tested, lostCount: number): Promise<void> {
  let lowerCount = 1;
  for (let first = 0; first < lowerCount; first++) {
    await Bench.run(tested, { completion: "random", seed: 530 + first }, async (bench) => {
      lowerCount = bench.lowers.length;
      const model = await bench.learn();
      for (let count = 0; count < 5; count++) await randomBatch(bench, model, 6);
      const losing = randomBatch(bench, model, 8);
      for (let index = 0; index < lostCount; index++)
        bench.lowers[(first + index) % lowerCount]!.fault.lose();
      await losing;
      for (let count = 0; count < 15; count++) await randomBatch(bench, model, 6);
      await bench.compare(model, "after a lower was lost");
    });
  }
}

async function losing(bench: Bench): Promise<void> {
  const [first] = bench.lowers;
  if (first === undefined) return;
  const { support } = bench.top;
  const submitAll = (): Io[] =>
    offeredOps(support).map((op) =>
      bench.submit(op, 0, bench.blockSize, {
        data: new Uint8Array(bench.blockSize),
        flags: support.fua !== "none" && op !== Op.read ? IoFlag.fua : 0,
      }),
    );
  const before = submitAll();
  for (const { fault } of bench.lowers) fault.lose();
  const after = submitAll();
  for (const io of [...before, ...after]) await bench.ended(io);
  for (const io of after) {
    expectThat(io.error !== null || io.op === Op.discard, `${opName(io.op)} succeeded with no lower left`);
  }
  for (const { fault } of bench.lowers) fault.reset();
}

async function hangingThenLost(bench: Bench): Promise<void> {
  for (const { fault } of bench.lowers) fault.add({ fault: { kind: "hang" } });
  const ops = offeredOps(bench.top.support);
  const ios = randomRanges(bench, ops.length).map(({ offset, length }, index) =>
    bench.submit(ops[index]!, offset, length, { data: new Uint8Array(length) }),
  );
  if (bench.top.support.flush !== "none") ios.push(bench.submit(Op.flush, 0, 0));
  await bench.turns(() => bench.lowers.every(({ fault }) => fault.hangingCount > 0));
  for (const { fault } of bench.lowers) fault.lose();
  for (const io of ios) await bench.ended(io);
  for (const { fault } of bench.lowers) fault.reset();
}

/** Of two requests for one range the second begins when the first has completed: how late that was does not matter. */
async function lateWork(bench: Bench): Promise<void> {
  const model = await bench.learn();
  for (const { fault } of bench.lowers)
    fault.add({ fault: { kind: "delay", delayMs: LATE_MS }, probability: 0.2 });
  for (let count = 0; count < 8; count++) await randomBatch(bench, model, 5);
  for (const { fault } of bench.lowers) fault.reset();
  await bench.compare(model, "after requests that were late");
}

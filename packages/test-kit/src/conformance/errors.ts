import { IoFlag, Op, isCevError, opName } from "@cev/core";
import type { Io } from "@cev/core";
import type { Fault } from "../layers/fault-layer.ts";
import type { ModelDevice } from "../model-device.ts";
import { Bench } from "./bench.ts";
import { expectThat, fail } from "./subject.ts";
import { NO_REDUNDANCY } from "./left-out.ts";
import type { AddCheck, Subject } from "./subject.ts";
import { expectOldOrNew, offeredOps, randomBatch } from "./work.ts";

const REQUESTS_PER_OP_MAX = 64;

/** A request of the sweep. */
interface Request {
  readonly op: Op;
  readonly flags: number;
  readonly offset: number;
  readonly length: number;
}

/** Errors from below, in every place. */
export function errorChecks(subject: Subject, add: AddCheck): void {
  const kinds: [string, Fault][] = [
    ["fails", { kind: "error", code: "CEV_IO" }],
    ["finds a bad spot", { kind: "error", code: "CEV_MEDIUM" }],
    ["fails although it was done", { kind: "errorAfter", code: "CEV_IO" }],
  ];
  for (const [what, fault] of kinds)
    add(
      `the first request below ${what}, then the second, until none is left: the error arrives, and nothing else changes`,
      () => sweep(subject, fault),
    );
  const { lostLowersMax = 0 } = subject.manifest;
  add(
    `any ${Math.max(1, lostLowersMax)} of its lowers may be lost under load, and every request still succeeds`,
    () => surviving(subject, lostLowersMax),
    lostLowersMax > 0 ? null : NO_REDUNDANCY,
  );
  add("a lower that is lost fails requests, but none hangs, and the layer can be closed", () =>
    Bench.run(subject, { completion: "later", seed: 520 }, losing),
  );
}

/** Each request of the sweep runs on a fresh layer: one that has redundancy may stop using a lower that failed. */
async function sweep(subject: Subject, fault: Fault): Promise<void> {
  let faultCount = 0;
  let hasLowers = true;
  for (let which = 0; hasLowers; which++) {
    let isLast = false;
    for (let lower = 0; !isLast; lower++) {
      for (let count = 1; ; count++) {
        const outcome = await failOne(subject, fault, { which, lower, count });
        if (outcome === "no such request") return expectFaults(faultCount);
        hasLowers = outcome !== "no lowers";
        isLast = outcome === "no lowers" || outcome === "no such lower";
        if (outcome !== "failed") break;
        faultCount++;
        if (count > REQUESTS_PER_OP_MAX) break;
      }
    }
  }
}

function expectFaults(count: number): void {
  expectThat(count > 0, "the layer has lowers, and no request ever reached one");
}

type Outcome = "failed" | "none left" | "no such lower" | "no such request" | "no lowers";

interface Place {
  readonly which: number;
  readonly lower: number;
  readonly count: number;
}

async function failOne(subject: Subject, fault: Fault, place: Place): Promise<Outcome> {
  let outcome: Outcome = "none left";
  await Bench.run(subject, { seed: 500 }, async (bench) => {
    if (bench.lowers.length === 0) return void (outcome = "no lowers");
    const request = requestsOf(bench)[place.which];
    if (request === undefined) return void (outcome = "no such request");
    const lower = bench.lowers[place.lower];
    if (lower === undefined) return void (outcome = "no such lower");
    const model = await bench.learn();
    lower.fault.add({ fault, skipCount: place.count - 1, countMax: 1 });
    const before = lower.fault.faultCount;
    const data =
      request.op === Op.write ? bench.random.bytes(request.length) : new Uint8Array(request.length);
    const io = await bench.run(request.op, request.offset, request.length, { data, flags: request.flags });
    const hasFailed = lower.fault.faultCount > before;
    lower.fault.reset();
    await checkOutcome(bench, subject, model, io, hasFailed, { request, data, place });
    if (hasFailed) outcome = "failed";
  });
  return outcome;
}

async function checkOutcome(
  bench: Bench,
  subject: Subject,
  model: ModelDevice,
  io: Io,
  hasFailed: boolean,
  { request, data, place }: { request: Request; data: Uint8Array; place: Place },
): Promise<void> {
  const { op, offset, length } = request;
  const when = `when request ${place.count} to lower ${place.lower} failed under ${opName(op)} (flags ${request.flags})`;
  if (io.error !== null) {
    expectThat(hasFailed, `${opName(op)} failed although nothing below did: ${io.error.message}`);
    expectThat(isCevError(io.error), `${when}, the error has no code`);
    const { code } = io.error;
    if (code === "CEV_PROGRAM" || code === "CEV_CANCELLED") fail(`${when}, it ended with ${code}`);
  } else if (hasFailed && subject.manifest.canHideErrors !== true) {
    fail(`${when}, it succeeded all the same`);
  }
  if (op === Op.discard) model.forget(offset, length);
  else if (op === Op.write || op === Op.writeZeroes) {
    if (io.error === null) model.write(offset, data);
    else await expectOldOrNew(bench, model, request, data, when);
  } else if (op === Op.read && io.error === null) {
    const at = model.firstDifference(offset, io.data);
    expectThat(at < 0, `${when}, it succeeded with a wrong byte at ${at}`);
  }
  await bench.compare(model, when);
}

/** A short request of each kind, and a long one: long ones are split more often. */
function requestsOf(bench: Bench): Request[] {
  const { support } = bench.top;
  const { blockSize, lengthMax, size } = bench;
  const long = Math.min(lengthMax, Math.max(blockSize, Math.floor(size / 4 / blockSize) * blockSize));
  const requests: Request[] = [];
  for (const op of offeredOps(support)) {
    for (const length of new Set([blockSize, long])) {
      const offset = Math.min(size - length, Math.floor(size / 3 / blockSize) * blockSize);
      requests.push({ op, flags: 0, offset, length });
      if (support.fua !== "none" && op !== Op.read) requests.push({ op, flags: IoFlag.fua, offset, length });
    }
  }
  if (support.flush !== "none") requests.push({ op: Op.flush, flags: 0, offset: 0, length: 0 });
  return requests;
}

async function surviving(subject: Subject, lostCount: number): Promise<void> {
  let lowerCount = 1;
  for (let first = 0; first < lowerCount; first++) {
    await Bench.run(subject, { completion: "random", seed: 530 + first }, async (bench) => {
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

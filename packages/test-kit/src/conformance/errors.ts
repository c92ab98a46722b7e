import { IoFlag, Op, isCevError, opName } from "@cev/core";
import type { Io } from "@cev/core";
import type { Fault } from "../layers/fault-layer.ts";
import type { ModelDevice } from "../model-device.ts";
import { Bench } from "./bench.ts";
import { expectThat, fail } from "./subject.ts";
import { NO_REDUNDANCY } from "./left-out.ts";
import type { AddCheck } from "./subject.ts";
import type { Kept, Tested } from "./tested.ts";
import { expectOldOrNew, offeredOps, randomBatch } from "./work.ts";

const REQUESTS_PER_OP_MAX = 64;

/** A request of the sweep. */
interface Request {
  readonly op: Op;
  readonly flags: number;
  readonly offset: number;
  readonly length: number;
}

/** What is swept: the same for every kind of fault. */
interface Sweep {
  /** From where each request begins; null: from a layer made anew. */
  readonly kept: Kept | null;
  /** What the layer holds then. */
  readonly model: ModelDevice | null;
  readonly lowerCount: number;
  /** Each request, and how many it makes of each lower when nothing fails. */
  readonly requests: readonly { readonly request: Request; readonly counts: readonly number[] }[];
}

/** Errors from below, in every place. */
export function errorChecks(tested: Tested, add: AddCheck): void {
  const kinds: [string, Fault][] = [
    ["fails", { kind: "error", code: "CEV_IO" }],
    ["finds a bad spot", { kind: "error", code: "CEV_MEDIUM" }],
    ["fails although it was done", { kind: "errorAfter", code: "CEV_IO" }],
  ];
  for (const [what, fault] of kinds)
    add(
      `the first request below ${what}, then the second, until none is left: the error arrives, and nothing else changes`,
      () => sweep(tested, fault),
    );
  const { lostLowersMax = 0 } = tested.manifest;
  add(
    `any ${Math.max(1, lostLowersMax)} of its lowers may be lost under load, and every request still succeeds`,
    () => surviving(tested, lostLowersMax),
    lostLowersMax > 0 ? null : NO_REDUNDANCY,
  );
  add("a lower that is lost fails requests, but none hangs, and the layer can be closed", () =>
    Bench.run(tested, { completion: "later", seed: 520 }, losing),
  );
}

/** Each request of the sweep runs on a fresh layer: one that has redundancy may stop using a lower that failed. */
async function sweep(tested: Tested, fault: Fault): Promise<void> {
  const { kept, model, lowerCount, requests } = await tested.once("sweep", () => rehearse(tested));
  let faultCount = 0;
  for (const { request, counts } of requests)
    for (let lower = 0; lower < lowerCount; lower++)
      for (let count = 1; count <= Math.min(counts[lower]!, REQUESTS_PER_OP_MAX); count++, faultCount++)
        await Bench.run(tested, { seed: 500, kept, isThorough: false }, async (bench) =>
          failOne(bench, tested, model?.copy() ?? (await bench.learn()), fault, { request, lower, count }),
        );
  expectThat(faultCount > 0 || lowerCount === 0, "the layer has lowers, and no request ever reached one");
}

/** Does every request once with nothing failing. */
async function rehearse(tested: Tested): Promise<Sweep> {
  let wanted: readonly Request[] = [];
  let model: ModelDevice | null = null;
  let lowerCount = 0;
  const kept = await Bench.keep(tested, { seed: 500 }, async (bench) => {
    wanted = requestsOf(bench);
    lowerCount = bench.lowers.length;
    model = await bench.learn();
  });
  const requests: { request: Request; counts: number[] }[] = [];
  if (lowerCount > 0)
    for (const request of wanted)
      await Bench.run(tested, { seed: 500, kept, isThorough: false }, async (bench) => {
        const before = bench.lowers.map(({ fault }) => fault.requestCount);
        await bench.run(request.op, request.offset, request.length, dataFor(bench, request));
        const counts = bench.lowers.map(({ fault }, index) => fault.requestCount - before[index]!);
        requests.push({ request, counts });
      });
  return { kept, model: kept === null ? null : model, lowerCount, requests };
}

interface Place {
  readonly request: Request;
  readonly lower: number;
  readonly count: number;
}

function dataFor(bench: Bench, { op, length, flags }: Request): { data: Uint8Array; flags: number } {
  return { data: op === Op.write ? bench.random.bytes(length) : new Uint8Array(length), flags };
}

async function failOne(
  bench: Bench,
  tested: Tested,
  model: ModelDevice,
  fault: Fault,
  place: Place,
): Promise<void> {
  const { request, count } = place;
  const lower = bench.lowers[place.lower]!;
  lower.fault.add({ fault, skipCount: count - 1, countMax: 1 });
  const settings = dataFor(bench, request);
  const io = await bench.run(request.op, request.offset, request.length, settings);
  const hasFailed = lower.fault.faultCount > 0;
  lower.fault.reset();
  await checkOutcome(bench, tested, model, io, hasFailed, { place, data: settings.data });
}

async function checkOutcome(
  bench: Bench,
  tested: Tested,
  model: ModelDevice,
  io: Io,
  hasFailed: boolean,
  { place, data }: { place: Place; data: Uint8Array },
): Promise<void> {
  const { request } = place;
  const { op, offset, length } = request;
  const when = `when request ${place.count} to lower ${place.lower} failed under ${opName(op)} (flags ${request.flags})`;
  if (io.error !== null) {
    expectThat(hasFailed, `${opName(op)} failed although nothing below did: ${io.error.message}`);
    expectThat(isCevError(io.error), `${when}, the error has no code`);
    const { code } = io.error;
    if (code === "CEV_PROGRAM" || code === "CEV_CANCELLED") fail(`${when}, it ended with ${code}`);
  } else if (hasFailed && tested.manifest.canHideErrors !== true) {
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

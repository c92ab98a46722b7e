import { IoFlag, Op, isCevError, opName } from "@cev/core";
import type { Io } from "@cev/core";
import { firstDifference } from "../bytes.ts";
import type { Fault } from "../layers/fault-layer.ts";
import type { ModelDevice } from "../model-device.ts";
import { Bench } from "./bench.ts";
import { expectThat, fail } from "./subject.ts";
import type { Kept, Tested } from "./tested.ts";
import { expectOldOrNew, offeredOps } from "./work.ts";

const REQUESTS_PER_OP_MAX = 64;

/** A request of the sweep. */
interface Request {
  readonly op: Op;
  readonly flags: number;
  readonly offset: number;
  readonly length: number;
  readonly isLong: boolean;
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

/** Which faults a sweep tries. */
export interface SweepSettings {
  readonly fault: Fault;
  /** How many requests in a row fail. */
  readonly inRow?: number;
  /** Which requests are worth trying. */
  readonly fits?: (op: Op, isLong: boolean) => boolean;
}

/** Makes the first request below fail, then the second, until none is left. Each runs on a fresh layer: one that has redundancy may stop using a lower that failed. */
export async function sweep(tested: Tested, settings: SweepSettings): Promise<void> {
  const { kept, model, lowerCount, requests } = await tested.once("sweep", () => rehearse(tested));
  const { fault, inRow = 1, fits = () => true } = settings;
  let faultCount = 0;
  for (const { request, counts } of requests.filter(({ request: { op, isLong } }) => fits(op, isLong)))
    for (let lower = 0; lower < lowerCount; lower++)
      for (
        let count = 1;
        count <= Math.min(counts[lower]! + 1 - inRow, REQUESTS_PER_OP_MAX);
        count++, faultCount++
      )
        await Bench.run(tested, { seed: 500, kept, isThorough: false }, async (bench) =>
          failOne(bench, tested, model?.copy() ?? (await bench.learn()), fault, {
            request,
            lower,
            count,
            inRow,
          }),
        );
  const isTried = faultCount > 0 || lowerCount === 0 || settings.fits !== undefined;
  expectThat(isTried, "the layer has lowers, and no request ever reached one");
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
  readonly inRow: number;
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
  const { request, count, inRow } = place;
  const lower = bench.lowers[place.lower]!;
  lower.fault.add({ fault, skipCount: count - 1, countMax: inRow });
  const settings = dataFor(bench, request);
  const io = await bench.run(request.op, request.offset, request.length, settings);
  const hasFailed = lower.fault.faultCount > 0;
  lower.fault.reset();
  await checkOutcome(bench, tested, model, io, hasFailed, {
    place,
    data: settings.data,
    isHalf: fault.kind === "half",
  });
}

async function checkOutcome(
  bench: Bench,
  tested: Tested,
  model: ModelDevice,
  io: Io,
  hasFailed: boolean,
  { place, data, isHalf }: { place: Place; data: Uint8Array; isHalf: boolean },
): Promise<void> {
  const { request } = place;
  const { op, offset, length } = request;
  const when = `when request ${place.count} to lower ${place.lower} failed under ${opName(op)} (flags ${request.flags})`;
  if (io.error !== null) {
    expectThat(hasFailed, `${opName(op)} failed although nothing below did: ${io.error.message}`);
    expectThat(isCevError(io.error), `${when}, the error has no code`);
    if (op === Op.read) expectDone(io, model.bytes.subarray(offset, offset + length), io.data, when);
    const { code } = io.error;
    if (code === "CEV_PROGRAM" || code === "CEV_CANCELLED") fail(`${when}, it ended with ${code}`);
  } else if (hasFailed && tested.manifest.canHideErrors !== true) {
    fail(`${when}, it succeeded all the same`);
  }
  if (op === Op.discard) model.forget(offset, length);
  else if (op === Op.write || op === Op.writeZeroes) {
    if (io.error === null) model.write(offset, data);
    else {
      // What is done by half ends with a block of the lower, which may be a part of one here.
      const unit = isHalf
        ? Math.min(...bench.lowers.map(({ disk }) => disk.limits.logicalBlockSize))
        : Infinity;
      await expectOldOrNew(bench, model, request, data, when, Math.min(bench.blockSize, unit));
      expectDone(io, data, model.bytes.subarray(offset, offset + length), when);
    }
  } else if (op === Op.read && io.error === null) {
    const at = model.firstDifference(offset, io.data);
    expectThat(at < 0, `${when}, it succeeded with a wrong byte at ${at}`);
  }
  await bench.compare(model, when);
}

/** What a request that failed says to have been done has been, from its beginning on. */
function expectDone(io: Io, wanted: Uint8Array, found: Uint8Array, when: string): void {
  const at = firstDifference(wanted.subarray(0, io.transferred), found.subarray(0, io.transferred));
  expectThat(
    at < 0,
    `${when}, it says that ${io.transferred} bytes were done, and byte ${io.offset + at} was not`,
  );
}

/** A short request of each kind, and a long one: long ones are split more often. */
function requestsOf(bench: Bench): Request[] {
  const { support } = bench.top;
  const { blockSize, lengthMax, size } = bench;
  const long = Math.min(lengthMax, Math.max(blockSize, Math.floor(size / 4 / blockSize) * blockSize));
  const requests: Request[] = [];
  for (const op of offeredOps(support)) {
    for (const length of new Set([blockSize, long])) {
      const isLong = length > blockSize;
      const offset = Math.min(size - length, Math.floor(size / 3 / blockSize) * blockSize);
      requests.push({ op, flags: 0, offset, length, isLong });
      if (support.fua !== "none" && op !== Op.read)
        requests.push({ op, flags: IoFlag.fua, offset, length, isLong });
    }
  }
  if (support.flush !== "none")
    requests.push({ op: Op.flush, flags: 0, offset: 0, length: 0, isLong: false });
  return requests;
}

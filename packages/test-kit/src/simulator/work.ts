import { isCevError } from "@cev/core";
import type { AbortSignalLike, Device, Environment } from "@cev/core";
import type { PlannedRequest } from "./step.ts";
import type { SectorModel } from "./sector-model.ts";
import type { Trace } from "./seed.ts";

const SECTOR = 512;

/** Where requests go, and who hears of them. */
export interface WorkTarget {
  readonly environment: Environment;
  readonly device: Device;
  /** What may be read after a power cut. */
  readonly durable: SectorModel;
  /** What may be read now. */
  readonly now: SectorModel;
  readonly trace: Trace;
  /** Requests that touch one another may be under way together; else the later one is left out. */
  readonly overlaps: boolean;
  /** So many at once. */
  readonly atOnceMax: number;
  /** An error that came out; null: it may be. Else what is wrong, in words. */
  readonly judge: (what: string, error: Error, isCancelled: boolean) => void;
  readonly found: (finding: string) => void;
  /** A flush or a write with FUA has succeeded. */
  readonly madeDurable: () => void;
}

/** Requests at once. Resolves when all have ended; tells how many there were. */
export async function workOff(
  target: WorkTarget,
  requests: readonly PlannedRequest[],
  stamp: number,
): Promise<number> {
  const taken = target.overlaps ? requests : apart(requests);
  const next = taken.values();
  const lane = async (): Promise<void> => {
    for (const request of next) await work(target, request, stamp + request.index * 0x9e3779b1);
  };
  await Promise.all(Array.from({ length: Math.min(taken.length, target.atOnceMax) }, lane));
  return taken.length;
}

/** Those that touch none before them. */
export function apart(requests: readonly PlannedRequest[]): readonly PlannedRequest[] {
  return requests.filter((request, at) => isFree(request, requests, at));
}

function isFree(
  { what, sector, count }: PlannedRequest,
  all: readonly PlannedRequest[],
  at: number,
): boolean {
  if (what === "flush") return true;
  for (let index = 0; index < at; index++) {
    const other = all[index]!;
    if (other.what !== "flush" && sector < other.sector + other.count && other.sector < sector + count)
      return false;
  }
  return true;
}

async function work(target: WorkTarget, request: PlannedRequest, stamp: number): Promise<void> {
  const { trace, environment } = target;
  const signal = request.cancelAt < 0 ? null : new Signal();
  if (signal !== null) cancelIn(environment, signal, request.cancelAt);
  const options = signal === null ? { fua: request.isFua } : { fua: request.isFua, signal };
  try {
    await perform(target, request, options, stamp);
    trace.add(environment.clock.now());
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    trace.addText(isCevError(error) ? error.code : error.message);
    target.judge(
      `a ${request.what} of ${request.count} at sector ${request.sector}`,
      error,
      signal?.aborted === true,
    );
  }
}

interface Options {
  readonly fua: boolean;
  readonly signal?: AbortSignalLike;
}

async function perform(
  target: WorkTarget,
  { what, sector, count, isFua }: PlannedRequest,
  options: Options,
  stamp: number,
): Promise<void> {
  const { device, durable, now } = target;
  const offset = sector * SECTOR;
  const length = count * SECTOR;
  if (what === "flush") {
    const covered = durable.flushBegan();
    await device.flush(options);
    covered();
    return target.madeDurable();
  }
  if (what === "read") {
    const before = target.overlaps ? now.versions(sector, count) : null;
    const bytes = await device.read(offset, length, options);
    const words = wordsOf(bytes);
    for (let at = 0; at < words.length; at += SECTOR / 4) target.trace.add(words[at]!);
    const wrong = now.firstWrong(words, sector, before);
    if (wrong >= 0) target.found(`a read gave what was not written last, at byte ${wrong * SECTOR}`);
    return;
  }
  const isDiscard = what === "discard" && device.support.discard !== "none";
  const words = isDiscard ? null : new Uint32Array(length / 4);
  if (words !== null && what === "write") stampWords(words, stamp);
  const durably = durable.began(sector, count, words);
  const seen = now.began(sector, count, words);
  try {
    if (words === null) await device.discard(offset, length, options);
    else if (what === "write") await device.write(offset, new Uint8Array(words.buffer), options);
    else await device.writeZeroes(offset, length, options);
  } catch (error) {
    durable.failed(durably);
    now.failed(seen);
    throw error;
  }
  durable.completed(durably, isFua);
  now.completed(seen, true);
  if (isFua) target.madeDurable();
}

/** No two words of a run are the same, nearly. */
function stampWords(words: Uint32Array, stamp: number): void {
  let value = stamp >>> 0;
  for (let index = 0; index < words.length; index++) {
    value = (Math.imul(value, 1_664_525) + 1_013_904_223) >>> 0;
    words[index] = value;
  }
}

/** The bytes as words; copied where they do not begin with one. */
export function wordsOf(bytes: Uint8Array): Uint32Array {
  const { buffer, byteOffset, length } = byteOffsetIsWhole(bytes) ? bytes : bytes.slice();
  return new Uint32Array(buffer, byteOffset, length / 4);
}

function byteOffsetIsWhole({ byteOffset }: Uint8Array): boolean {
  return byteOffset % 4 === 0;
}

function cancelIn(environment: Environment, signal: Signal, turns: number): void {
  if (turns === 0) environment.later(() => signal.abort());
  else environment.later(() => cancelIn(environment, signal, turns - 1));
}

/** What an `AbortController` would give, for those that have none. */
class Signal implements AbortSignalLike {
  aborted = false;
  readonly #listeners = new Set<() => void>();

  addEventListener(_type: "abort", listener: () => void): void {
    this.#listeners.add(listener);
  }

  removeEventListener(_type: "abort", listener: () => void): void {
    this.#listeners.delete(listener);
  }

  abort(): void {
    this.aborted = true;
    for (const listener of [...this.#listeners]) listener();
  }
}

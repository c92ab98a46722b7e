import { isCevError } from "@cev/core";
import type { AbortSignalLike, Device, Environment } from "@cev/core";
import type { PlannedRequest } from "./script.ts";
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
  /** An error that came out; null: it may be. Else what is wrong, in words. */
  readonly judge: (what: string, error: Error, isCancelled: boolean) => void;
  readonly found: (finding: string) => void;
}

/** Requests at once; those that would touch one another are left out. Resolves when all have ended; tells how many there were. */
export async function workOff(
  target: WorkTarget,
  requests: readonly PlannedRequest[],
  stamp: number,
): Promise<number> {
  const taken: PlannedRequest[] = [];
  const parts: Promise<void>[] = [];
  for (const [index, request] of requests.entries()) {
    const end = request.sector + request.count;
    const isFree =
      request.what === "flush" ||
      taken.every(({ sector, count }) => end <= sector || sector + count <= request.sector);
    if (!isFree) continue;
    if (request.what !== "flush") taken.push(request);
    parts.push(work(target, request, stamp + index * 0x9e3779b1));
  }
  await Promise.all(parts);
  return parts.length;
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
    return covered();
  }
  if (what === "read") {
    const bytes = await device.read(offset, length, options);
    const words = wordsOf(bytes);
    for (let at = 0; at < words.length; at += SECTOR / 4) target.trace.add(words[at]!);
    const wrong = now.firstWrong(words, sector);
    if (wrong >= 0) target.found(`a read gave what was not written last, at byte ${wrong * SECTOR}`);
    return;
  }
  if (what === "discard" && device.support.discard !== "none") {
    const durably = durable.began(sector, count, null);
    const seen = now.began(sector, count, null);
    await device.discard(offset, length, options);
    durable.completed(durably, isFua);
    return now.completed(seen, true);
  }
  const words = new Uint32Array(length / 4);
  if (what === "write") stampWords(words, stamp);
  const durably = durable.began(sector, count, words);
  const seen = now.began(sector, count, words);
  if (what === "write") await device.write(offset, new Uint8Array(words.buffer), options);
  else await device.writeZeroes(offset, length, options);
  durable.completed(durably, isFua);
  now.completed(seen, true);
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

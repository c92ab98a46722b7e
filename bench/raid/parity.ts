import { BufferPool } from "@cev/core";
import type { PoolBuffer } from "@cev/core";
import { PARITY_KERNEL, PQ_KERNEL } from "@cev/raid";
import type { NativePeer } from "../native-peer.ts";
import type { Report } from "../report.ts";
import { measureIsal, startIsal } from "./isal.ts";
import type { ParityOperation, Slices } from "./isal.ts";

const SOURCE_COUNTS = [4, 6, 8, 10];
const LENGTHS = [65_536, 524_288];
const ROUNDS = 25;
const SLICES = 10;
// So much is read in one slice, in several calls: the clock costs as much as a short call.
const SLICE_BYTES = 2 * 1024 * 1024;

interface Figure {
  readonly operation: ParityOperation;
  readonly name: string;
  /** Of ISA-L's speed, on an average over the numbers of members, in pool memory. */
  readonly atLeast: number;
}

const FIGURES: readonly Figure[] = [
  { operation: "p", name: "P", atLeast: 0.8 },
  { operation: "pq", name: "P+Q", atLeast: 0.5 },
  { operation: "recover", name: "two lost", atLeast: 0.5 },
];

/** The parity kernels, side by side with ISA-L: in pool memory, and with data that is copied in and out. */
export async function benchKernels(report: Report): Promise<void> {
  report.title("Parity: speed in units of ISA-L, by sources; in pool memory, and copied in and out");
  const isal = startIsal();
  if (typeof isal === "string") {
    console.log(`not measured: ISA-L (Debian's libisal-dev) cannot be used: ${isal}`);
    return;
  }
  await using peer = isal;
  // One for all: in each pool the kernels are compiled anew, and it takes a while until they are optimised.
  const pool = new BufferPool();
  report.row("", "chunk", ...SOURCE_COUNTS.map(String), ...SOURCE_COUNTS.map((count) => `${count} copied`));
  for (const { operation, name, atLeast } of FIGURES) {
    for (const length of LENGTHS) {
      const inPool: number[] = [];
      const copied: number[] = [];
      for (const sourceCount of SOURCE_COUNTS) {
        const callCount = Math.max(1, Math.round(SLICE_BYTES / (length * sourceCount)));
        const slices = { operation, sourceCount, length, sliceCount: SLICES, callCount };
        const [direct, indirect] = await ratios(peer, pool, slices);
        inPool.push(direct);
        copied.push(indirect);
      }
      const chunk = `${length / 1024} KiB`;
      report.row(name, chunk, ...[...inPool, ...copied].map((ratio) => ratio.toFixed(2)));
      const average = inPool.reduce((sum, ratio) => sum + ratio, 0) / inPool.length;
      report.want(`${name}, chunks of ${chunk}, in pool memory: cev to ISA-L`, average, "at least", atLeast);
    }
  }
}

/** ISA-L's time in units of ours, in pool memory and copied: the fastest of each, in turns. */
async function ratios(
  peer: NativePeer,
  pool: BufferPool,
  slices: Slices,
): Promise<readonly [inPool: number, copied: number]> {
  const stripe = new BenchStripe(pool, slices);
  let theirs = Infinity;
  let inPool = Infinity;
  let copied = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    theirs = Math.min(theirs, await measureIsal(peer, slices));
    inPool = Math.min(
      inPool,
      fastest(slices, () => stripe.runInPool()),
    );
    copied = Math.min(
      copied,
      fastest(slices, () => stripe.runCopied()),
    );
  }
  stripe.release();
  return [theirs / inPool, theirs / copied];
}

/** Nanoseconds of one call. */
function fastest({ sliceCount, callCount }: Slices, run: () => void): number {
  let least = Infinity;
  for (let slice = 0; slice < sliceCount; slice++) {
    const start = process.hrtime.bigint();
    for (let call = 0; call < callCount; call++) run();
    least = Math.min(least, Number(process.hrtime.bigint() - start));
  }
  return least / callCount;
}

/** The chunks of one stripe, all in one buffer of a pool, and copies of them outside. */
class BenchStripe {
  readonly #pool: BufferPool;
  readonly #slices: Slices;
  readonly #buffer: PoolBuffer;
  readonly #outside: readonly Uint8Array[];

  constructor(pool: BufferPool, slices: Slices) {
    this.#pool = pool;
    this.#slices = slices;
    const count = slices.sourceCount + 2;
    this.#buffer = pool.acquire(count * slices.length);
    this.#buffer.bytes.fill(0x5a);
    this.#outside = Array.from({ length: count }, (_, index) => new Uint8Array(slices.length).fill(index));
  }

  release(): void {
    this.#pool.release(this.#buffer);
  }

  runInPool(): void {
    this.#run(false);
  }

  runCopied(): void {
    this.#run(true);
    const { operation, sourceCount, length } = this.#slices;
    const { bytes } = this.#buffer;
    const targetCount = operation === "p" ? 1 : 2;
    for (let index = sourceCount; index < sourceCount + targetCount; index++)
      this.#outside[index]!.set(bytes.subarray(index * length, (index + 1) * length));
  }

  #run(isOutside: boolean): void {
    const { operation, sourceCount, length } = this.#slices;
    const { slab, bytes, address } = this.#buffer;
    const target = address + sourceCount * length;
    if (operation === "p") {
      const kernel = slab.kernel(PARITY_KERNEL);
      kernel.begin();
      for (let index = 0; index < sourceCount; index++) {
        if (isOutside) kernel.add(this.#outside[index]!, 0);
        else kernel.add(bytes, index * length);
      }
      kernel.xorTo(target, length);
      return;
    }
    const kernel = slab.kernel(PQ_KERNEL);
    kernel.begin();
    // Two lost: the last two sources are the parities, and the first and the last data column are gone.
    const dataCount = operation === "pq" ? sourceCount : sourceCount - 2;
    const first = operation === "pq" ? 0 : 1;
    for (let index = 0; index < dataCount; index++) {
      if (isOutside) kernel.add(this.#outside[index]!, 0, first + index);
      else kernel.add(bytes, index * length, first + index);
    }
    if (operation === "pq") {
      kernel.pqTo(target, target + length, length);
      return;
    }
    const p = address + dataCount * length;
    if (isOutside) {
      bytes.set(this.#outside[dataCount]!, dataCount * length);
      bytes.set(this.#outside[dataCount + 1]!, (dataCount + 1) * length);
    }
    kernel.recoverTwo(p, p + length, 0, dataCount + 1, target, target + length, length);
  }
}

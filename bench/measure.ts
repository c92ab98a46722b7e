/** Something to be measured: does `count` units of work. */
export interface Contestant {
  readonly name: string;
  run(count: number): void | Promise<void>;
}

/** What one contestant took: medians over the rounds. */
export interface Result {
  readonly name: string;
  /** Nanoseconds per unit: for orientation only, the clock here is noisy. */
  readonly nanoseconds: number;
  /** Bytes of the JavaScript heap per unit, or NaN where it was not measured. */
  readonly bytes: number;
}

/** Settings of a comparison. */
export interface CompareOptions {
  /** Units per run; tuned to about `runMs` when left out. */
  readonly count?: number;
  readonly rounds?: number;
  readonly runMs?: number;
}

/**
 * Runs all contestants in turn, round after round, so that a noisy minute hits all alike, and gives the median of
 * each and of the ratios within a round.
 */
export async function compare(
  contestants: readonly Contestant[],
  options: CompareOptions = {},
): Promise<Comparison> {
  const rounds = options.rounds ?? 9;
  const runMs = options.runMs ?? 25;
  const counts = new Map<string, number>();
  for (const contestant of contestants) {
    const probe = options.count ?? 2_000;
    for (let warm = 0; warm < 8; warm++) await contestant.run(probe);
    const nanoseconds = await time(contestant, probe);
    counts.set(contestant.name, options.count ?? Math.max(1_000, Math.round((runMs * 1e6) / nanoseconds)));
  }
  const samples = new Map<string, number[]>(contestants.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const contestant of contestants)
      samples.get(contestant.name)!.push(await time(contestant, counts.get(contestant.name)!));
  }
  const bytes = new Map<string, number>();
  for (const contestant of contestants) bytes.set(contestant.name, await allocated(contestant));
  return new Comparison(samples, bytes);
}

/** The samples of a comparison, round by round. */
export class Comparison {
  readonly #samples: Map<string, number[]>;
  readonly #bytes: Map<string, number>;

  constructor(samples: Map<string, number[]>, bytes: Map<string, number>) {
    this.#samples = samples;
    this.#bytes = bytes;
  }

  result(name: string): Result {
    return {
      name,
      nanoseconds: median(this.#samples.get(name)!),
      bytes: this.#bytes.get(name) ?? Number.NaN,
    };
  }

  /** Time of `a` in units of `b`: the median of the ratios within each round. */
  ratio(a: string, b: string): number {
    const other = this.#samples.get(b)!;
    return median(this.#samples.get(a)!.map((sample, round) => sample / other[round]!));
  }
}

/** The middle value. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

async function time(contestant: Contestant, count: number): Promise<number> {
  const start = process.hrtime.bigint();
  await contestant.run(count);
  return Number(process.hrtime.bigint() - start) / count;
}

const ALLOCATION_COUNT = 20_000;

/** Bytes per unit, with a collected heap before and no collection in between (the young generation is made large enough). */
async function allocated(contestant: Contestant): Promise<number> {
  const collect = (globalThis as { gc?: () => void }).gc;
  if (collect === undefined) return Number.NaN;
  let least = Infinity;
  for (let attempt = 0; attempt < 3; attempt++) {
    collect();
    const before = process.memoryUsage().heapUsed;
    await contestant.run(ALLOCATION_COUNT);
    least = Math.min(least, (process.memoryUsage().heapUsed - before) / ALLOCATION_COUNT);
  }
  // Measuring allocates a few hundred bytes itself.
  return Math.max(0, Math.round(least));
}

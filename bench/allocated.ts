import { median } from "./measure.ts";

const ROUNDS = 5;

/** Bytes of the JavaScript heap that a run takes, per request: nothing is collected meanwhile. NaN without a collector at hand. */
export async function bytesPerRequest(run: () => number | Promise<number>): Promise<number> {
  const collect = (globalThis as { gc?: () => void }).gc;
  if (collect === undefined) return Number.NaN;
  const samples: number[] = [];
  // What is compiled and what is kept for later is there after the first.
  await run();
  for (let round = 0; round < ROUNDS; round++) {
    collect();
    const before = process.memoryUsage().heapUsed;
    const count = await run();
    samples.push((process.memoryUsage().heapUsed - before) / count);
  }
  return Math.max(0, Math.round(median(samples)));
}

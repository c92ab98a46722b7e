/** Two small arrays with parity, and one of them full of data. */
import { Random } from "@cev/test-kit";
import { EngineBench } from "./engine-bench.ts";
import type { EngineBenchOptions } from "./engine-bench.ts";

export const CHUNK = 8192;
export const MEMBER_SIZE: number = CHUNK * 3;

export const RAID6: EngineBenchOptions = {
  level: 6,
  layout: 2,
  chunkSize: CHUNK,
  memberSizes: new Array<number>(5).fill(MEMBER_SIZE),
};
export const RAID5: EngineBenchOptions = {
  level: 5,
  layout: 2,
  chunkSize: CHUNK,
  memberSizes: new Array<number>(4).fill(MEMBER_SIZE),
};

/** An array with random data, whose counts begin after that was written. */
export async function filled(options: EngineBenchOptions): Promise<{ bench: EngineBench; data: Uint8Array }> {
  const bench = new EngineBench(options);
  const data = new Random(9).bytes(bench.engine.size);
  await bench.write(0, data);
  bench.forget();
  return { bench, data };
}

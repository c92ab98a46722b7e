import { Io, Op, RunQueue } from "@cev/core";

/** Megabytes of heap for a million `Io` under way, with one action each. */
export function memoryOfAMillion(): number {
  const collect = (globalThis as { gc?: () => void }).gc;
  if (collect === undefined) return Number.NaN;
  collect();
  const before = process.memoryUsage().heapUsed;
  const runQueue = new RunQueue({ later: setImmediate });
  const data = new Uint8Array(4096);
  const ios: Io[] = [];
  for (let index = 0; index < 1_000_000; index++) {
    const io = new Io(runQueue).prepare(Op.read, index * 4096, 4096, data);
    io.pushAction(restore, index);
    ios.push(io);
  }
  collect();
  const megabytes = (process.memoryUsage().heapUsed - before) / 1e6;
  for (const io of ios) io.complete();
  return megabytes;
}

function restore(io: Io, start: number): void {
  io.offset -= start;
}

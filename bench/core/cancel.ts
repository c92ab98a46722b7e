import { CancelScope, CompoundIoPool, Io, IoError, Op, RunQueue, allMustSucceed } from "@cev/core";
import type { Completion, CompoundIo } from "@cev/core";
import type { Contestant } from "../measure.ts";

const IN_FLIGHT = 128;

/** 128 in flight over a device that completes later, each on one shared abort signal or on none. */
export function cancellable(isOnSignal: boolean): Contestant {
  const runQueue = new RunQueue({ later: setImmediate });
  const ios = Array.from({ length: IN_FLIGHT }, () => new Io(runQueue));
  const scope = new CancelScope(new AbortController().signal);
  return {
    name: isOnSignal ? "on a signal" : "plain",
    run(count) {
      for (let at = 0; at < count; at += IN_FLIGHT) {
        for (const io of ios) {
          io.prepare(Op.flush, 0, 0);
          if (isOnSignal) scope.add(io);
        }
        for (const io of ios) io.complete();
      }
    },
  };
}

/** A device from which nothing returns unless it is cancelled. */
const hanging = {
  name: "hanging",
  submit(io: Io): void {
    io.pushAction(nothing, hanging);
  },
  onCancel(event: Completion): void {
    event.complete(new IoError("CEV_CANCELLED", "cancelled"));
  },
};

function nothing(): void {
  // Its context, the device, hears of the cancel.
}

/** Milliseconds to cancel one request that became `count` sub-requests: flat, or as a tree of `fanOut` per level. */
export function cancelTime(count: number, fanOut: number): number {
  const runQueue = new RunQueue({ later: setImmediate, completionsPerTurnMax: 1e9 });
  const pool = new CompoundIoPool({ name: "splitter" });
  let leaves = 0;
  const splitter = {
    name: "splitter",
    submit(io: Io): void {
      split(io, io.length);
    },
  };
  const split = (io: Io, size: number): void => {
    const compound: CompoundIo = pool.over(io, allMustSucceed);
    const each = Math.ceil(size / fanOut);
    for (let at = 0; at < size; at += each) {
      const length = Math.min(each, size - at);
      compound.add(length > 1 ? splitter : hanging, Op.discard, at, length);
      if (length === 1) leaves++;
    }
    compound.submit();
  };
  const io = new Io(runQueue).prepare(Op.discard, 0, count);
  split(io, count);
  if (leaves !== count) throw new Error(`${leaves} sub-requests instead of ${count}`);
  const start = process.hrtime.bigint();
  io.cancel();
  const milliseconds = Number(process.hrtime.bigint() - start) / 1e6;
  if (io.error?.code !== "CEV_CANCELLED") throw new Error("not cancelled");
  return milliseconds;
}

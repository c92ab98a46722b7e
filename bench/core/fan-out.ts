import { CompoundIoPool, Io, Op, RunQueue, allMustSucceed } from "@cev/core";
import type { Contestant } from "../measure.ts";
import { PumpQueue } from "../pump-queue.ts";
import type { Completes } from "./chain.ts";

/*
 * One request becomes `parts` sub-requests over a device that completes at once or when it is pumped. One unit of work is one
 * sub-request, so the figures of different fan-outs compare.
 */

/** cev's own: a pooled compound event. */
export function compoundEvent(parts: number, completes: Completes): Contestant {
  const queue = new PumpQueue<Io>();
  const lower = {
    name: "bottom",
    submit(io: Io): void {
      if (completes === "at once") io.complete();
      else queue.push(io);
    },
  };
  const runQueue = new RunQueue({ later: setImmediate, completionsPerTurnMax: 1e9 });
  const pool = new CompoundIoPool({ name: "splitter" });
  const io = new Io(runQueue);
  const data = new Uint8Array(4096);
  let done = 0;
  const ended = (): void => {
    done++;
  };
  return {
    name: "compound event",
    run(count) {
      done = 0;
      const rounds = Math.ceil(count / parts);
      for (let round = 0; round < rounds; round++) {
        io.prepare(Op.write, 0, 4096, data);
        io.setOwner(ended, null);
        const compound = pool.over(io, allMustSucceed);
        for (let part = 0; part < parts; part++) compound.add(lower, Op.write, part * 4096, 4096, data);
        compound.submit();
        for (let index = 0; index < queue.length; index++) queue.items[index]!.complete();
        queue.length = 0;
      }
      if (done !== rounds) throw new Error(`compound event: ${done} of ${rounds} ended`);
    },
  };
}

type Callback = (error: Error | null) => void;

interface Request {
  offset: number;
  length: number;
  data: Uint8Array;
}

/** What one writes by hand: a counter in a closure. */
export function nestedCallbacks(parts: number, completes: Completes): Contestant {
  const queue = new PumpQueue<Callback>();
  const lower = {
    submit(_request: Request, callback: Callback): void {
      if (completes === "at once") callback(null);
      else queue.push(callback);
    },
  };
  const data = new Uint8Array(4096);
  let done = 0;
  const ended = (): void => {
    done++;
  };
  const write = (callback: Callback): void => {
    let pending = parts;
    let first: Error | null = null;
    for (let part = 0; part < parts; part++) {
      lower.submit({ offset: part * 4096, length: 4096, data }, (error) => {
        first ??= error;
        if (--pending === 0) callback(first);
      });
    }
  };
  return {
    name: "nested callbacks",
    run(count) {
      done = 0;
      const rounds = Math.ceil(count / parts);
      for (let round = 0; round < rounds; round++) {
        write(ended);
        for (let index = 0; index < queue.length; index++) queue.items[index]!(null);
        queue.length = 0;
      }
      if (done !== rounds) throw new Error("nested callbacks: not all ended");
    },
  };
}

/** `Promise.all` over one promise per sub-request. */
export function promiseAll(parts: number, completes: Completes): Contestant {
  const queue = new PumpQueue<(value: null) => void>();
  const lower = {
    submit(_request: Request): Promise<null> {
      if (completes === "at once") return Promise.resolve(null);
      return new Promise((resolve) => queue.push(resolve));
    },
  };
  const data = new Uint8Array(4096);
  return {
    name: "Promise.all",
    async run(count) {
      const rounds = Math.ceil(count / parts);
      for (let round = 0; round < rounds; round++) {
        const waiting: Promise<null>[] = [];
        for (let part = 0; part < parts; part++) waiting.push(lower.submit({ offset: part * 4096, length: 4096, data }));
        const all = Promise.all(waiting);
        for (let index = 0; index < queue.length; index++) queue.items[index]!(null);
        queue.length = 0;
        await all;
      }
    },
  };
}

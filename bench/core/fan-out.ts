import { CompoundIoPool, Io, Op, RunQueue, allMustSucceed } from "@cev/core";
import type { SubmitTarget } from "@cev/core";
import type { Contestant } from "../measure.ts";
import { PumpQueue } from "../pump-queue.ts";
import { classFrom } from "./chain.ts";
import type { Completes } from "./chain.ts";

/*
 * One request becomes `parts` sub-requests over five members that complete at once or when they are pumped. Each member has a
 * class of its own, as a file, memory or a network device would: with one class alone the compiler melts the whole request of
 * hand-written callbacks into a loop without a single call, which no real stack gives it a chance to. One unit of work is one
 * sub-request, so the figures of different fan-outs compare.
 */
const MEMBER_COUNT = 5;

function members<T>(source: string, names: Record<string, unknown>): T[] {
  return Array.from({ length: MEMBER_COUNT }, (_, index) => {
    const Class = classFrom(source.replaceAll("NAME", `Member${index}`), names) as new () => T;
    return new Class();
  });
}

/** cev's own: a pooled compound event. */
export function compoundEvent(parts: number, completes: Completes): Contestant {
  const queue = new PumpQueue<Io>();
  const source =
    completes === "at once"
      ? `class NAME { get name() { return "NAME"; } submit(io) { io.complete(); } }`
      : `class NAME { get name() { return "NAME"; } submit(io) { queue.push(io); } }`;
  const lowers = members<SubmitTarget>(source, { queue });
  const runQueue = new RunQueue({ later: setImmediate, completionsPerTurnMax: 1e9 });
  const Splitter = classFrom(
    `class Splitter {
      constructor() { this.name = "splitter"; this.pool = new CompoundIoPool(this); }
      submit(io) {
        const compound = this.pool.over(io, allMustSucceed);
        for (let part = 0; part < parts; part++) {
          compound.add(lowers[part % lowers.length], io.op, io.offset + part * 4096, 4096, io.data, io.dataOffset);
        }
        compound.submit();
      }
    }`,
    { CompoundIoPool, allMustSucceed, lowers, parts },
  ) as new () => SubmitTarget;
  const splitter = new Splitter();
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
        splitter.submit(io);
        for (let index = 0; index < queue.length; index++) queue.items[index]!.complete();
        queue.length = 0;
      }
      if (done !== rounds) throw new Error(`compound event: ${done} of ${rounds} ended`);
    },
  };
}

type Callback = (error: Error | null, transferred: number) => void;

interface Request {
  op: number;
  flags: number;
  offset: number;
  length: number;
  data: Uint8Array;
  dataOffset: number;
}

const REQUEST =
  "{ op: request.op, flags: 0, offset: request.offset + part * 4096, length: 4096, data: request.data, dataOffset: 0 }";

interface CallbackLayer {
  submit(request: Request, callback: Callback): void;
}

interface PromiseLayer {
  submit(request: Request): Promise<null>;
}

/** What one writes by hand to the same end: the first error in the order of the parts, and what was transferred. */
export function nestedCallbacks(parts: number, completes: Completes): Contestant {
  const queue = new PumpQueue<Callback>();
  const source =
    completes === "at once"
      ? `class NAME { submit(request, callback) { callback(null, request.length); } }`
      : `class NAME { submit(request, callback) { queue.push(callback); } }`;
  const lowers = members<CallbackLayer>(source, { queue });
  const data = new Uint8Array(4096);
  let done = 0;
  const ended = (): void => {
    done++;
  };
  const Splitter = classFrom(
    `class Splitter {
      submit(request, callback) {
        let pending = parts;
        let total = 0;
        let failed = null;
        for (let part = 0; part < parts; part++) {
          lowers[part % lowers.length].submit(${REQUEST}, (error, transferred) => {
            if (error !== null) (failed ??= [])[part] = error;
            total += transferred;
            if (--pending === 0) callback(failed === null ? null : failed.find((each) => each), total);
          });
        }
      }
    }`,
    { lowers, parts },
  ) as new () => CallbackLayer;
  const splitter = new Splitter();
  return {
    name: "nested callbacks",
    run(count) {
      done = 0;
      const rounds = Math.ceil(count / parts);
      for (let round = 0; round < rounds; round++) {
        splitter.submit({ op: Op.write, flags: 0, offset: 0, length: 4096, data, dataOffset: 0 }, ended);
        for (let index = 0; index < queue.length; index++) queue.items[index]!(null, 4096);
        queue.length = 0;
      }
      if (done !== rounds) throw new Error("nested callbacks: not all ended");
    },
  };
}

/** `Promise.all` over one promise per sub-request. */
export function promiseAll(parts: number, completes: Completes): Contestant {
  const queue = new PumpQueue<(value: null) => void>();
  const source =
    completes === "at once"
      ? `class NAME { submit(request) { return Promise.resolve(null); } }`
      : `class NAME { submit(request) { return new Promise((resolve) => { queue.push(resolve); }); } }`;
  const lowers = members<PromiseLayer>(source, { queue });
  const Splitter = classFrom(
    `class Splitter {
      submit(request) {
        const waiting = [];
        for (let part = 0; part < parts; part++) {
          waiting.push(lowers[part % lowers.length].submit(${REQUEST}));
        }
        return Promise.all(waiting);
      }
    }`,
    { lowers, parts },
  ) as new () => PromiseLayer;
  const splitter = new Splitter();
  const data = new Uint8Array(4096);
  return {
    name: "Promise.all",
    async run(count) {
      const rounds = Math.ceil(count / parts);
      for (let round = 0; round < rounds; round++) {
        const all = splitter.submit({ op: Op.write, flags: 0, offset: 0, length: 4096, data, dataOffset: 0 });
        for (let index = 0; index < queue.length; index++) queue.items[index]!(null);
        queue.length = 0;
        await all;
      }
    },
  };
}

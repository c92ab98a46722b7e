import { FULL_SUPPORT, Io, LayerBase, Op, RunQueue, plainLimits } from "@cev/core";
import type { Layer } from "@cev/core";
import { compileFunction } from "node:vm";
import * as rx from "rxjs";
import type { Contestant } from "../measure.ts";
import { PumpQueue } from "../pump-queue.ts";

/** When the device at the bottom completes. */
export type Completes = "at once" | "later";

const IN_FLIGHT = 128;

/*
 * Every contestant is a stack of `depth` layers that add to the offset on the way down and put it back on the way up, over a
 * device that completes at once or when it is pumped. Each layer has a class of its own, made from text: closures from one
 * place in the source share their type feedback, which no real stack does.
 */
export function classFrom(source: string, names: Record<string, unknown>): unknown {
  const make = compileFunction(`"use strict"; return ${source}`, Object.keys(names));
  return Reflect.apply(make, undefined, Object.values(names));
}

interface Request {
  offset: number;
}

function stackOf<T>(depth: number, source: string, names: Record<string, unknown>, bottom: T): T {
  let lower = bottom;
  for (let index = 0; index < depth; index++) {
    const Class = classFrom(source.replaceAll("NAME", `Layer${index}`), names) as new (
      lower: T,
      start: number,
    ) => T;
    lower = new Class(lower, 4096 + index);
  }
  return lower;
}

/** cev's own: the same `Io` all the way, an action per layer. */
export function chain(depth: number, completes: Completes): Contestant {
  const queue = new PumpQueue<Io>();
  class Bottom extends LayerBase {
    readonly name = "bottom";
    readonly limits = plainLimits(2 ** 40);
    readonly support = FULL_SUPPORT;
    submit(io: Io): void {
      if (completes === "at once") io.complete();
      else queue.push(io);
    }
    describe(): never {
      throw new Error("not described");
    }
  }
  const source = `(() => {
    function restoreOffset(io, start) { io.offset -= start; }
    return class NAME {
      constructor(lower, start) { this.lower = lower; this.start = start; }
      submit(io) {
        switch (io.op) {
          case Op.read: case Op.write: case Op.discard: case Op.writeZeroes:
            io.pushAction(restoreOffset, this.start);
            io.offset += this.start;
            break;
          case Op.flush: break;
          default: throw new Error("refused");
        }
        this.lower.submit(io);
      }
    };
  })()`;
  const top = stackOf<Pick<Layer, "submit">>(depth, source, { Op }, new Bottom());
  const runQueue = new RunQueue({ later: setImmediate });
  const ios = Array.from({ length: IN_FLIGHT }, () => new Io(runQueue));
  const data = new Uint8Array(4096);
  let done = 0;
  const ended = (): void => {
    done++;
  };
  return {
    name: "chain",
    run(count) {
      done = 0;
      for (let at = 0; at < count; at += IN_FLIGHT) {
        const batch = Math.min(IN_FLIGHT, count - at);
        for (let index = 0; index < batch; index++) {
          const io = ios[index]!.prepare(Op.read, index * 4096, 4096, data);
          io.setOwner(ended, null);
          top.submit(io);
        }
        for (let index = 0; index < queue.length; index++) queue.items[index]!.complete();
        queue.length = 0;
      }
      if (done !== count) throw new Error(`chain: ${done} of ${count} ended`);
    },
  };
}

type Callback = (error: null) => void;
interface CallbackLayer {
  submit(request: Request, callback: Callback): void;
}

/** What one writes by hand: a closure per layer. */
export function callbacks(depth: number, completes: Completes): Contestant {
  const queue = new PumpQueue<Callback>();
  const bottom: CallbackLayer = {
    submit(_request, callback) {
      if (completes === "at once") callback(null);
      else queue.push(callback);
    },
  };
  const source = `class NAME {
    constructor(lower, start) { this.lower = lower; this.start = start; }
    submit(request, callback) {
      const start = this.start;
      request.offset += start;
      this.lower.submit(request, (error) => { request.offset -= start; callback(error); });
    }
  }`;
  const top = stackOf(depth, source, {}, bottom);
  const requests = Array.from({ length: IN_FLIGHT }, (): Request => ({ offset: 0.5 }));
  let done = 0;
  const ended = (): void => {
    done++;
  };
  return {
    name: "callbacks",
    run(count) {
      done = 0;
      for (let at = 0; at < count; at += IN_FLIGHT) {
        const batch = Math.min(IN_FLIGHT, count - at);
        for (let index = 0; index < batch; index++) {
          const request = requests[index]!;
          request.offset = index * 4096;
          top.submit(request, ended);
        }
        for (let index = 0; index < queue.length; index++) queue.items[index]!(null);
        queue.length = 0;
      }
      if (done !== count) throw new Error("callbacks: not all ended");
    },
  };
}

interface PromiseLayer {
  submit(request: Request): Promise<Request>;
}

function promiseContestant(name: string, depth: number, completes: Completes, source: string): Contestant {
  const queue = new PumpQueue<{ resolve: (request: Request) => void; request: Request }>();
  const bottom: PromiseLayer = {
    submit(request) {
      if (completes === "at once") return Promise.resolve(request);
      return new Promise((resolve) => queue.push({ resolve, request }));
    },
  };
  const top = stackOf(depth, source, {}, bottom);
  const requests = Array.from({ length: IN_FLIGHT }, (): Request => ({ offset: 0.5 }));
  return {
    name,
    async run(count) {
      const waiting: Promise<Request>[] = [];
      for (let at = 0; at < count; at += IN_FLIGHT) {
        const batch = Math.min(IN_FLIGHT, count - at);
        for (let index = 0; index < batch; index++) {
          const request = requests[index]!;
          request.offset = index * 4096;
          waiting.push(top.submit(request));
        }
        for (let index = 0; index < queue.length; index++) {
          const { resolve, request } = queue.items[index]!;
          resolve(request);
        }
        queue.length = 0;
        for (const promise of waiting) await promise;
        waiting.length = 0;
      }
    },
  };
}

/** A promise chain per layer. */
export function promises(depth: number, completes: Completes): Contestant {
  return promiseContestant(
    "promise.then",
    depth,
    completes,
    `class NAME {
      constructor(lower, start) { this.lower = lower; this.start = start; }
      submit(request) {
        const start = this.start;
        request.offset += start;
        return this.lower.submit(request).then((done) => { done.offset -= start; return done; });
      }
    }`,
  );
}

/** Layers as async functions. */
export function asyncAwait(depth: number, completes: Completes): Contestant {
  return promiseContestant(
    "async/await",
    depth,
    completes,
    `class NAME {
      constructor(lower, start) { this.lower = lower; this.start = start; }
      async submit(request) {
        request.offset += this.start;
        const done = await this.lower.submit(request);
        done.offset -= this.start;
        return done;
      }
    }`,
  );
}

/** Layers as RxJS operators. */
export function rxjs(depth: number, completes: Completes): Contestant {
  const queue = new PumpQueue<() => void>();
  const bottom = {
    submit(request: Request): rx.Observable<Request> {
      if (completes === "at once") return rx.of(request);
      return new rx.Observable((subscriber) => {
        queue.push(() => {
          subscriber.next(request);
          subscriber.complete();
        });
      });
    },
  };
  const source = `class NAME {
    constructor(lower, start) { this.lower = lower; this.start = start; }
    submit(request) {
      return rx.defer(() => {
        request.offset += this.start;
        return this.lower.submit(request);
      }).pipe(rx.tap((done) => { done.offset -= this.start; }));
    }
  }`;
  const top = stackOf(depth, source, { rx }, bottom);
  const requests = Array.from({ length: IN_FLIGHT }, (): Request => ({ offset: 0.5 }));
  let done = 0;
  const ended = (): void => {
    done++;
  };
  return {
    name: "RxJS",
    run(count) {
      done = 0;
      for (let at = 0; at < count; at += IN_FLIGHT) {
        const batch = Math.min(IN_FLIGHT, count - at);
        for (let index = 0; index < batch; index++) {
          const request = requests[index]!;
          request.offset = index * 4096;
          top.submit(request).subscribe(ended);
        }
        for (let index = 0; index < queue.length; index++) queue.items[index]!();
        queue.length = 0;
      }
      if (done !== count) throw new Error("RxJS: not all ended");
    },
  };
}

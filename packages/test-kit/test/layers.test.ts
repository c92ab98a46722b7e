import { Device, EventState, Io, IoFlag, LayerBase, Op, environmentFrom, openTree, request } from "@cev/core";
import type { Layer, LayerDescription, Limits, Support } from "@cev/core";
import { describe, expect, test } from "vitest";
import {
  AsyncNoOpLayer,
  CheckingLayer,
  FaultLayer,
  MemoryLayer,
  NoOpLayer,
  PowerCutLayer,
  Random,
  SimulatedWorld,
  StatisticsLayer,
} from "../src/index.ts";

const environment = environmentFrom(globalThis);
const bytesOf = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);

function submit(layer: Layer, op: Op, offset: number, data: Uint8Array, flags = 0): Io {
  const io = new Io(environment.runQueue).prepare(op, offset, data.length, data, 0, flags);
  layer.submit(io);
  return io;
}

const flush = (layer: Layer): Io => submit(layer, Op.flush, 0, new Uint8Array(0));
const ended = (io: Io): Promise<Io> => new Promise((resolve) => void io.wait(() => resolve(io), null));

describe("MemoryLayer", () => {
  test("by hand: data moves when the test completes a request, in any order", () => {
    const memory = new MemoryLayer(environment, { size: 2048, completion: "byHand" });
    const write = submit(memory, Op.write, 0, bytesOf(512, 7));
    const data = bytesOf(512, 9);
    const read = submit(memory, Op.read, 0, data);
    expect(memory.pending).toEqual([write, read]);
    memory.completeNext(1);
    expect(data).toEqual(bytesOf(512, 0));
    expect(read.isUpToDate).toBe(true);
    expect(write.state).toBe(EventState.pending);
    expect(memory.completeAll()).toBe(1);
    expect(memory.bytes.subarray(0, 512)).toEqual(bytesOf(512, 7));
  });

  test("a cancelled request ends at once, or goes on where cancelling is ignored", () => {
    const memory = new MemoryLayer(environment, { size: 512, completion: "byHand" });
    const first = submit(memory, Op.write, 0, bytesOf(512, 7));
    first.cancel();
    expect(first.error?.code).toBe("CEV_CANCELLED");
    expect(memory.pending.length).toBe(0);
    memory.cancelMode = "ignored";
    const second = submit(memory, Op.write, 0, bytesOf(512, 8));
    second.cancel();
    memory.completeNext();
    expect(second.error).toBeNull();
    expect(memory.bytes[0]).toBe(8);
  });

  test("the same seed gives the same order of completions, another one another", async () => {
    const orderOf = async (seed: number): Promise<number[]> => {
      const world = new SimulatedWorld({ seed });
      const memory = new MemoryLayer(world.environment, { size: 512 * 50, completion: "random", seed });
      const order: number[] = [];
      for (let index = 0; index < 50; index++) {
        const io = new Io(world.environment.runQueue).prepare(Op.write, index * 512, 512, bytesOf(512, 1));
        io.wait(() => order.push(index), null);
        memory.submit(io);
      }
      await world.run();
      return order;
    };
    const first = await orderOf(5);
    expect(first.length).toBe(50);
    expect(await orderOf(5)).toEqual(first);
    expect(await orderOf(6)).not.toEqual(first);
  });

  test("what it does not offer is refused", () => {
    const memory = new MemoryLayer(environment, { size: 512, support: { fua: "none", discard: "none" } });
    expect(submit(memory, Op.write, 0, bytesOf(512, 1), IoFlag.fua).error?.code).toBe("CEV_NOT_SUPPORTED");
    expect(submit(memory, Op.discard, 0, bytesOf(512, 1)).error?.code).toBe("CEV_NOT_SUPPORTED");
  });
});

describe("FaultLayer", () => {
  const newFault = (): { memory: MemoryLayer; fault: FaultLayer } => {
    const memory = new MemoryLayer(environment, { size: 8192 });
    return { memory, fault: new FaultLayer(memory, environment) };
  };

  test("fails the n-th request and no other", () => {
    const { fault } = newFault();
    fault.failNth(3, "CEV_NO_SPACE");
    const codes = [0, 1, 2, 3].map(
      (index) => submit(fault, Op.write, index * 512, bytesOf(512, 1)).error?.code,
    );
    expect(codes).toEqual([undefined, undefined, "CEV_NO_SPACE", undefined]);
    expect(fault).toMatchObject({ requestCount: 4, faultCount: 1 });
  });

  test("a bad range fails reads until it is written, each part of it by itself", () => {
    const { fault } = newFault();
    fault.addBadRange(1024, 1024);
    const read = (offset: number): string | undefined =>
      submit(fault, Op.read, offset, bytesOf(512, 0)).error?.code;
    expect([512, 1024, 1536, 2048].map(read)).toEqual([undefined, "CEV_MEDIUM", "CEV_MEDIUM", undefined]);
    submit(fault, Op.write, 1024, bytesOf(512, 1));
    expect([1024, 1536].map(read)).toEqual([undefined, "CEV_MEDIUM"]);
  });

  test("rules by operation, range and the request itself", () => {
    const { fault } = newFault();
    const error = { kind: "error", code: "CEV_IO" } as const;
    fault.add({ op: Op.write, offset: 1024, length: 512, fault: error });
    fault.add({ accepts: (io) => io.length === 1536, fault: error });
    expect(submit(fault, Op.write, 512, bytesOf(512, 1)).error).toBeNull();
    expect(submit(fault, Op.write, 512, bytesOf(1024, 1)).error?.code).toBe("CEV_IO");
    expect(submit(fault, Op.read, 1024, bytesOf(512, 1)).error).toBeNull();
    expect(submit(fault, Op.read, 0, bytesOf(1536, 1)).error?.code).toBe("CEV_IO");
  });

  test("errors after the deed and half-way leave the range as it was", () => {
    const { fault, memory } = newFault();
    fault.add({ fault: { kind: "errorAfter", code: "CEV_IO" }, countMax: 1 });
    expect(submit(fault, Op.write, 0, bytesOf(512, 1)).error?.code).toBe("CEV_IO");
    fault.add({ fault: { kind: "half", code: "CEV_IO" }, countMax: 1 });
    const half = submit(fault, Op.write, 2048, bytesOf(1536, 2));
    expect(half).toMatchObject({ offset: 2048, length: 1536, transferred: 512, error: { code: "CEV_IO" } });
    expect([0, 2048, 2560].map((at) => memory.bytes[at])).toEqual([1, 2, 0]);
  });

  test("hanging requests wait for their release, a cancel, or the loss of the device", () => {
    const { fault } = newFault();
    fault.add({ fault: { kind: "hang" }, countMax: 3 });
    const ios = [0, 1, 2].map((index) => submit(fault, Op.read, index * 512, bytesOf(512, 1)));
    ios[0]!.cancel();
    expect(ios.map(({ error }) => error?.code)).toEqual(["CEV_CANCELLED", undefined, undefined]);
    fault.release();
    expect(ios.map(({ state }) => state)).toEqual([EventState.done, EventState.done, EventState.done]);
    fault.add({ fault: { kind: "hang" } });
    const last = submit(fault, Op.read, 0, bytesOf(512, 1));
    fault.lose();
    expect(last.error?.code).toBe("CEV_DEVICE_LOST");
    expect(flush(fault).error?.code).toBe("CEV_DEVICE_LOST");
    fault.reset();
    expect(flush(fault).error).toBeNull();
  });

  test("a delay is a time of the clock", async () => {
    const world = new SimulatedWorld({ seed: 1 });
    const memory = new MemoryLayer(world.environment, { size: 512 });
    const fault = new FaultLayer(memory, world.environment);
    fault.add({ fault: { kind: "delay", delayMs: 3_600_000 } });
    await world.drive(request(fault, world.environment, Op.flush, 0, 0));
    expect(world.now).toBe(3_600_000);
  });
});

/** Breaks one rule at a time. */
class BadLayer extends LayerBase {
  readonly name = "bad";
  readonly limits: Limits;
  readonly support: Support;
  readonly #lower: Layer;
  readonly #misbehave: (io: Io, pass: () => void) => void;

  constructor(lower: Layer, misbehave: (io: Io, pass: () => void) => void) {
    super([lower]);
    this.limits = lower.limits;
    this.support = lower.support;
    this.#lower = lower;
    this.#misbehave = misbehave;
  }

  submit(io: Io): void {
    this.#misbehave(io, () => this.#lower.submit(io));
  }

  describe(): LayerDescription {
    return { driver: "bad", options: {}, lowers: [] };
  }
}

describe("CheckingLayer", () => {
  const run = (misbehave: (io: Io, pass: () => void) => void, op: Op = Op.write): CheckingLayer => {
    const below = new CheckingLayer(new MemoryLayer(environment, { size: 8192 }));
    const above = new CheckingLayer(new BadLayer(below, misbehave));
    submit(above, op, 1024, bytesOf(1024, 1));
    above.violations.push(...below.violations);
    return above;
  };

  test("says nothing about a layer that keeps the contract", () => {
    const checking = run((_io, pass) => pass());
    expect(checking.violations).toEqual([]);
    expect(() => checking.check()).not.toThrow();
  });

  test.each<[string, RegExp, (io: Io, pass: () => void) => void, Op?]>([
    ["an offset that is not put back", /another offset/, (io, pass) => ((io.offset += 512), pass())],
    ["write data that is altered", /data altered/, (io, pass) => ((io.data[5] = 9), pass())],
    ["a request past the end", /passes the end/, (io, pass) => ((io.offset = 7680), pass())],
    [
      "a request that is not aligned",
      /not aligned/,
      (io, pass) => ((io.length = 700), pass(), (io.length = 1024)),
    ],
    ["less memory than asked for", /less memory/, (io, pass) => ((io.dataOffset = 512), pass())],
    ["success with too little", /succeeded with 0/, (io, pass) => (io.pushAction(forget, null), pass())],
    ["a cancel nobody asked for", /nobody asked/, (io) => io.fail("CEV_CANCELLED", "no reason", "bad")],
    ["an error without a code", /without a code/, (io) => io.complete(plainError as never)],
    ["an action that throws", /met a bug/, (io, pass) => (io.pushAction(explode, null), pass())],
  ])("finds %s", (_what, message, misbehave, op) => {
    const checking = run(misbehave, op);
    expect(checking.violations.join()).toMatch(message);
    expect(() => checking.check()).toThrow(/contract was broken/);
  });

  test("finds a close under load and a request after it", async () => {
    const memory = new MemoryLayer(environment, { size: 512, completion: "byHand" });
    const checking = new CheckingLayer(memory);
    await openTree(checking);
    flush(checking);
    await checking.close();
    flush(checking);
    expect(checking.violations.join()).toMatch(/1 requests are under way.*is closed/);
  });
});

const plainError = new Error("no code");

function forget(io: Io): void {
  io.transferred = 0;
}

function explode(): void {
  throw new Error("boom");
}

describe("PowerCutLayer", () => {
  const cutMany = (disk: PowerCutLayer, at: number): Set<number> =>
    new Set(Array.from({ length: 64 }, (_, seed) => disk.imageAfterCut(new Random(seed))[at]!));

  test("loses any of what was not flushed, and nothing else", () => {
    const disk = new PowerCutLayer(environment, { size: 4096 });
    submit(disk, Op.write, 0, bytesOf(512, 1));
    flush(disk);
    submit(disk, Op.write, 0, bytesOf(512, 2));
    submit(disk, Op.write, 0, bytesOf(512, 3));
    submit(disk, Op.write, 1024, bytesOf(512, 4), IoFlag.fua);
    expect(cutMany(disk, 0)).toEqual(new Set([1, 2, 3]));
    expect(cutMany(disk, 1024)).toEqual(new Set([4]));
    const data = bytesOf(512, 0);
    submit(disk, Op.read, 0, data);
    expect(data[0]).toBe(3);
    flush(disk);
    expect(cutMany(disk, 0)).toEqual(new Set([3]));
  });

  test("tears a write between its sectors, never within one", () => {
    const disk = new PowerCutLayer(environment, { size: 4096 });
    submit(disk, Op.write, 0, bytesOf(4096, 1));
    const image = disk.imageAfterCut(new Random(3));
    const sectors = Array.from(
      { length: 8 },
      (_, index) => new Set(image.subarray(index * 512, (index + 1) * 512)),
    );
    expect(sectors.every(({ size }) => size === 1)).toBe(true);
    expect(new Set(image)).toEqual(new Set([0, 1]));
  });

  test("a flush covers what had completed when it began", async () => {
    const disk = new PowerCutLayer(environment, { size: 4096, completion: "later" });
    const write = submit(disk, Op.write, 0, bytesOf(512, 1));
    const early = flush(disk);
    await Promise.all([write, early].map(ended));
    expect(disk.unflushedCount).toBe(1);
    await ended(flush(disk));
    expect(disk.unflushedCount).toBe(0);
  });

  test("an older write does not come back over a durable one", () => {
    const disk = new PowerCutLayer(environment, { size: 4096 });
    submit(disk, Op.write, 0, bytesOf(1536, 1));
    submit(disk, Op.write, 512, bytesOf(512, 2), IoFlag.fua);
    expect(cutMany(disk, 512)).toEqual(new Set([2]));
    expect(cutMany(disk, 0)).toEqual(new Set([0, 1]));
    expect(cutMany(disk, 1024)).toEqual(new Set([0, 1]));
  });

  test("a flush covers what is left of a write, where a durable one came over a part of it meanwhile", async () => {
    const disk = new PowerCutLayer(environment, { size: 4096, completion: "later" });
    await ended(submit(disk, Op.write, 0, bytesOf(1536, 1)));
    const durable = submit(disk, Op.write, 512, bytesOf(512, 2), IoFlag.fua);
    const covering = flush(disk);
    await Promise.all([durable, covering].map(ended));
    expect(disk.unflushedCount).toBe(0);
    expect([0, 512, 1024].map((at) => cutMany(disk, at))).toEqual([new Set([1]), new Set([2]), new Set([1])]);
  });

  test("the power goes: requests under way fail, and what is left is what reads see", async () => {
    const disk = new PowerCutLayer(environment, { size: 512, completion: "later" });
    const io = submit(disk, Op.write, 0, bytesOf(512, 1));
    disk.cut(new Random(1));
    expect((await ended(io)).error?.code).toBe("CEV_DEVICE_LOST");
    const data = bytesOf(512, 9);
    await ended(submit(disk, Op.read, 0, data));
    expect(data).toEqual(disk.contents);
  });
});

describe("StatisticsLayer and the no-op layers", () => {
  test("count and let everything through", async () => {
    const memory = new MemoryLayer(environment, { size: 8192, completion: "later" });
    const statistics = new StatisticsLayer(new AsyncNoOpLayer(new NoOpLayer(memory)));
    const device = await Device.open(statistics, environment);
    await Promise.all([device.write(0, bytesOf(512, 1)), device.write(512, bytesOf(1024, 1))]);
    await device.flush();
    await expect(device.read(9000, 1)).rejects.toThrow();
    expect(statistics).toMatchObject({
      counts: { write: { count: 2, bytes: 1536, errorCount: 0 }, flush: { count: 1 } },
      inFlightMax: 2,
      inFlightCount: 0,
    });
    await device.close();
  });
});

import { EventState, Io, Op, environmentFrom, request } from "@cev/core";
import type { Layer } from "@cev/core";
import { describe, expect, test } from "vitest";
import {
  FaultLayer,
  MemoryLayer,
  PauseLayer,
  SimulatedWorld,
  StatisticsLayer,
  ThrottleLayer,
} from "../src/index.ts";
import type { ThrottleLimits } from "../src/index.ts";

const environment = environmentFrom(globalThis);

function submit(layer: Layer, op: Op, offset: number, length: number, runQueue = environment.runQueue): Io {
  const io = new Io(runQueue).prepare(op, offset, length, new Uint8Array(op === Op.flush ? 0 : length));
  layer.submit(io);
  return io;
}

describe("ThrottleLayer", () => {
  const timesOf = async (limits: ThrottleLimits, count: number, seed = 1): Promise<number[]> => {
    const world = new SimulatedWorld({ seed: 1 });
    const memory = new MemoryLayer(world.environment, { size: 65_536 });
    const throttle = new ThrottleLayer(memory, { environment: world.environment, seed, ...limits });
    const times: number[] = [];
    for (let index = 0; index < count; index++) {
      const io = new Io(world.environment.runQueue).prepare(
        Op.read,
        4096 * index,
        4096,
        new Uint8Array(4096),
      );
      io.wait(() => (times[index] = world.now), null);
      throttle.submit(io);
    }
    await world.run();
    expect(throttle.waitingCount).toBe(0);
    return times;
  };

  test("so many requests, or bytes, a second: whichever is slower", async () => {
    expect(await timesOf({ requestsPerSecond: 10 }, 4)).toEqual([0, 100, 200, 300]);
    expect(await timesOf({ bytesPerSecond: 40_960 }, 4)).toEqual([0, 100, 200, 300]);
    expect(await timesOf({ bytesPerSecond: 40_960, requestsPerSecond: 5 }, 3)).toEqual([0, 200, 400]);
  });

  test("what was not used may be made up for within the burst", async () => {
    expect(await timesOf({ requestsPerSecond: 10, burstMs: 200 }, 4)).toEqual([0, 0, 0, 100]);
  });

  test("latency is the same for all, jitter comes from the seed", async () => {
    expect(await timesOf({ latencyMs: 7 }, 3)).toEqual([7, 7, 7]);
    const jittered = await timesOf({ latencyMs: 7, jitterMs: 5 }, 5, 3);
    expect(new Set(jittered).size).toBe(5);
    expect(jittered.every((time) => time >= 7 && time < 12)).toBe(true);
    expect(await timesOf({ latencyMs: 7, jitterMs: 5 }, 5, 3)).toEqual(jittered);
    expect(await timesOf({ latencyMs: 7, jitterMs: 5 }, 5, 4)).not.toEqual(jittered);
  });

  test("a request that waits is cancelled at once, and never reaches the disk", async () => {
    const world = new SimulatedWorld({ seed: 1 });
    const memory = new MemoryLayer(world.environment, { size: 8192 });
    const throttle = new ThrottleLayer(memory, { environment: world.environment, latencyMs: 1000 });
    const { runQueue } = world.environment;
    const [first, second] = [
      submit(throttle, Op.read, 0, 512, runQueue),
      submit(throttle, Op.read, 0, 512, runQueue),
    ];
    first.cancel();
    expect(first.error?.code).toBe("CEV_CANCELLED");
    expect(throttle.waitingCount).toBe(1);
    await world.run();
    expect(second.isUpToDate).toBe(true);
    expect(memory.log.length).toBe(1);
  });
});

describe("PauseLayer", () => {
  test("keeps requests back, lets them go in their order, and what comes meanwhile behind them", () => {
    const memory = new MemoryLayer(environment, { size: 8192 });
    const pause = new PauseLayer(memory);
    void pause.pause();
    const first = submit(pause, Op.read, 0, 512);
    // Submitted while the first is let go: behind the second.
    first.wait(() => submit(pause, Op.read, 1024, 512), null);
    submit(pause, Op.read, 512, 512);
    expect(pause.waitingCount).toBe(2);
    expect(memory.log).toEqual([]);
    pause.resume();
    expect(memory.log.map(({ offset }) => offset)).toEqual([0, 512, 1024]);
    expect(pause.waitingCount).toBe(0);
  });

  test("is quiet when nothing is under way below", async () => {
    const memory = new MemoryLayer(environment, { size: 8192, completion: "byHand" });
    const pause = new PauseLayer(memory);
    const below = submit(pause, Op.read, 0, 512);
    let isQuiet = false;
    const quiet = pause.pause().then(() => (isQuiet = true));
    const kept = submit(pause, Op.read, 512, 512);
    await Promise.resolve();
    expect(isQuiet).toBe(false);
    memory.completeAll();
    await quiet;
    expect([below.isUpToDate, kept.state]).toEqual([true, EventState.pending]);
    await pause.pause();
  });

  test("a request that is kept back is cancelled at once; one paused anew stays", () => {
    const memory = new MemoryLayer(environment, { size: 8192 });
    const pause = new PauseLayer(memory);
    void pause.pause();
    const [first, second, third] = [0, 512, 1024].map((offset) => submit(pause, Op.read, offset, 512));
    first!.cancel();
    expect(first!.error?.code).toBe("CEV_CANCELLED");
    second!.wait(() => void pause.pause(), null);
    pause.resume();
    expect([second!.isUpToDate, third!.state, pause.waitingCount]).toEqual([true, EventState.pending, 1]);
  });

  test("a request cancelled before it came ends here", () => {
    const pause = new PauseLayer(new MemoryLayer(environment, { size: 8192 }));
    void pause.pause();
    const io = new Io(environment.runQueue).prepare(Op.flush, 0, 0);
    io.cancel();
    pause.submit(io);
    expect(io.error?.code).toBe("CEV_CANCELLED");
    expect(pause.waitingCount).toBe(0);
  });
});

describe("FaultLayer", () => {
  test("a delayed request is cancelled at once, and fails when the device is lost", async () => {
    const world = new SimulatedWorld({ seed: 1 });
    const memory = new MemoryLayer(world.environment, { size: 8192 });
    const fault = new FaultLayer(memory, world.environment);
    fault.add({ fault: { kind: "delay", delayMs: 1000 } });
    const [first, second] = [0, 512].map((at) => submit(fault, Op.read, at, 512, world.environment.runQueue));
    first!.cancel();
    expect(first!.error?.code).toBe("CEV_CANCELLED");
    fault.lose();
    expect(second!.error?.code).toBe("CEV_DEVICE_LOST");
    expect(world.isIdle).toBe(true);
    expect(memory.log).toEqual([]);
  });
});

describe("StatisticsLayer", () => {
  test("lengths, times and errors by code; from 0 again after a reset", async () => {
    const world = new SimulatedWorld({ seed: 1 });
    const memory = new MemoryLayer(world.environment, { size: 8192 });
    const fault = new FaultLayer(memory, world.environment);
    const statistics = new StatisticsLayer(fault, { clock: world.environment.clock });
    fault.add({ op: Op.write, countMax: 1, fault: { kind: "delay", delayMs: 2 } });
    fault.add({ op: Op.read, countMax: 1, fault: { kind: "error", code: "CEV_MEDIUM" } });
    await world.drive(request(statistics, world.environment, Op.write, 0, 1536, new Uint8Array(1536)));
    submit(statistics, Op.read, 0, 512, world.environment.runQueue);
    submit(statistics, Op.read, 0, 512, world.environment.runQueue);
    const before = statistics.snapshot();
    expect(before).toMatchObject({
      inFlight: 0,
      inFlightMax: 1,
      ops: {
        write: { count: 1, bytes: 1536, errorCount: 0, errors: {} },
        read: { count: 2, bytes: 512, errorCount: 1, errors: { CEV_MEDIUM: 1 } },
      },
    });
    // 1536 bytes: from 2^10 on; 2000 µs: from 2^10 on too; 512 bytes: from 2^9 on, at once.
    expect(before.ops["write"]!.lengths[10]).toBe(1);
    expect(before.ops["write"]!.latenciesUs[10]).toBe(1);
    expect(before.ops["read"]!.lengths).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    expect(before.ops["read"]!.latenciesUs).toEqual([2]);
    statistics.reset();
    expect(statistics.snapshot()).toEqual({ ops: {}, inFlight: 0, inFlightMax: 0 });
    expect(before.ops["read"]!.count).toBe(2);
  });
});

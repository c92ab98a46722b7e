import { Io, IoFlag, Op, closeTree, openTree, request } from "@cev/core";
import { describe, expect, test } from "vitest";
import {
  DurabilityModel,
  FaultLayer,
  MemoryLayer,
  Random,
  SimulatedWorld,
  VolatileCacheLayer,
} from "../src/index.ts";
import type { CachePolicy, VolatileCacheOptions } from "../src/index.ts";

const SIZE = 16 * 512;
const bytesOf = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);

class Rig {
  readonly world: SimulatedWorld;
  readonly memory: MemoryLayer;
  readonly fault: FaultLayer;
  readonly layer: VolatileCacheLayer;

  constructor(options: Partial<VolatileCacheOptions> = {}) {
    const seed = options.seed ?? 1;
    this.world = new SimulatedWorld({ seed });
    const { environment } = this.world;
    this.memory = new MemoryLayer(environment, { size: SIZE, completion: "random", seed });
    this.fault = new FaultLayer(this.memory, environment);
    this.layer = new VolatileCacheLayer(this.fault, { environment, ...options });
  }

  start(op: Op, offset: number, data: Uint8Array, flags = 0): Io {
    const io = new Io(this.world.environment.runQueue).prepare(op, offset, data.length, data, 0, flags);
    this.layer.submit(io);
    return io;
  }

  async submit(op: Op, offset: number, data: Uint8Array, flags = 0): Promise<string | undefined> {
    const io = this.start(op, offset, data, flags);
    await this.world.drive(new Promise<void>((resolve) => void io.wait(() => resolve(), null)));
    return io.error?.code;
  }

  flush(): Promise<string | undefined> {
    return this.submit(Op.flush, 0, new Uint8Array(0));
  }

  async contents(): Promise<Uint8Array> {
    const data = bytesOf(SIZE, 0xee);
    expect(await this.submit(Op.read, 0, data)).toBeUndefined();
    return data;
  }
}

describe("VolatileCacheLayer", () => {
  test("writes stay here until a flush, reads see them", async () => {
    const rig = new Rig();
    await rig.submit(Op.write, 512, bytesOf(1024, 1));
    await rig.submit(Op.writeZeroes, 1024, bytesOf(512, 0));
    expect(rig.memory.log).toEqual([]);
    expect(await rig.contents()).toEqual(new Uint8Array(SIZE).fill(1, 512, 1024));
    await rig.flush();
    expect(rig.memory.log.map(({ op }) => op)).toEqual([Op.read, Op.write, Op.writeZeroes, Op.flush]);
    expect(rig.layer.unflushedCount).toBe(0);
  });

  test("a bad spot does not matter under what is cached whole; zeroes are not promised there", async () => {
    const rig = new Rig();
    await rig.submit(Op.write, 512, bytesOf(512, 1));
    rig.fault.addBadRange(512, 1024);
    const data = new Uint8Array(512);
    expect(await rig.submit(Op.read, 512, data)).toBeUndefined();
    expect(data[0]).toBe(1);
    expect(await rig.submit(Op.read, 512, new Uint8Array(1024))).toBe("CEV_MEDIUM");
    expect(rig.layer.runs(0, 1024)[0]!.content).toBe("data");
    expect(rig.layer.runs(1024, 1024)[0]!.content).toBe("asBelow");
  });

  test("FUA is asked for below, and nothing older comes back over it", async () => {
    const rig = new Rig({ policy: "all" });
    await rig.submit(Op.write, 0, bytesOf(1536, 1));
    await rig.submit(Op.write, 512, bytesOf(512, 2), IoFlag.fua);
    const written = rig.memory.log.filter(({ op }) => op !== Op.read);
    expect(written).toMatchObject([{ op: Op.write, offset: 512, length: 512, flags: IoFlag.fua }]);
    await rig.world.drive(rig.layer.cut());
    rig.layer.restore();
    expect([0, 512, 1024].map((at) => rig.memory.bytes[at])).toEqual([1, 2, 1]);
  });

  test("a durable write that is on its way below when the power goes is lost, whole or torn, as any other under way", async () => {
    const length = 4096;
    const leftBy = async (policy: CachePolicy, seed: number): Promise<number> => {
      const rig = new Rig({ policy, seed });
      rig.fault.add({ op: Op.write, fault: { kind: "delay", delayMs: 10 }, skipCount: 1, countMax: 1 });
      await rig.submit(Op.write, 0, bytesOf(length, 1), IoFlag.fua);
      const io = rig.start(Op.write, 0, bytesOf(length, 2), IoFlag.fua);
      // The layer below has it, and has not said that it is done.
      while (rig.fault.faultCount === 0) await rig.world.turns(1);
      const report = await rig.world.drive(rig.layer.cut());
      expect(io.error?.code).toBe("CEV_DEVICE_LOST");
      rig.layer.restore();
      const left = await rig.contents();
      const counts = [1, 2].map((value) => left.subarray(0, length).filter((byte) => byte === value).length);
      expect(counts[0]! + counts[1]!).toBe(length);
      expect(report.lost.reduce((sum, lost) => sum + lost.length, 0)).toBe(counts[0]);
      return counts[1]!;
    };
    expect(await leftBy("none", 1)).toBe(0);
    expect(await leftBy("all", 1)).toBe(length);
    const torn = [await leftBy("sectors", 1), await leftBy("sectors", 2), await leftBy("sectors", 3)];
    expect(torn.some((count) => count > 0 && count < length)).toBe(true);
  });

  test("a cut says what is lost, requests under way fail, and all are refused until the power is back", async () => {
    const rig = new Rig({ policy: "writes", seed: 4 });
    rig.fault.add({ op: Op.flush, fault: { kind: "delay", delayMs: 100 } });
    for (let block = 0; block < 8; block++) await rig.submit(Op.write, block * 512, bytesOf(512, block + 1));
    const durable = rig.start(Op.write, 8192 - 512, bytesOf(512, 9), IoFlag.fua);
    const report = await rig.world.drive(rig.layer.cut("none"));
    expect(durable.error?.code).toBe("CEV_DEVICE_LOST");
    expect(report).toMatchObject({ changeCount: 9, keptCount: 0, tornCount: 0, lostCount: 9 });
    expect(report.lost.slice(0, 2)).toEqual([
      { offset: 0, length: 512 },
      { offset: 512, length: 512 },
    ]);
    expect(await rig.submit(Op.read, 0, bytesOf(512, 0))).toBe("CEV_DEVICE_LOST");
    rig.layer.restore();
    expect((await rig.contents()).subarray(0, 4096)).toEqual(new Uint8Array(4096));
  });

  test("the report of a torn write names exactly the bytes that are not there", async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const rig = new Rig({ seed });
      await rig.submit(Op.write, 0, bytesOf(4096, 1));
      const { lost, keptCount, tornCount, lostCount } = await rig.world.drive(rig.layer.cut());
      const wanted = bytesOf(4096, 1);
      for (const { offset, length } of lost) wanted.fill(0, offset, offset + length);
      expect(rig.memory.bytes.slice(0, 4096), `seed ${seed}`).toEqual(wanted);
      expect(keptCount + tornCount + lostCount).toBe(1);
      expect(tornCount === 1).toBe(lost.length > 0 && wanted.includes(1));
    }
  });

  test("a flush that fails leaves everything cached, and the next one makes it durable", async () => {
    const rig = new Rig();
    await rig.submit(Op.write, 0, bytesOf(512, 1));
    await rig.submit(Op.write, 1024, bytesOf(512, 2));
    rig.fault.add({ op: Op.write, offset: 1024, countMax: 1, fault: { kind: "error", code: "CEV_MEDIUM" } });
    expect(await rig.flush()).toBe("CEV_MEDIUM");
    expect(rig.layer.unflushedCount).toBe(1);
    expect(await rig.flush()).toBeUndefined();
    expect([0, 1024].map((at) => rig.memory.bytes[at])).toEqual([1, 2]);
  });

  test("a durable write that fails is not shown as done", async () => {
    const rig = new Rig();
    await rig.submit(Op.write, 0, bytesOf(512, 1));
    rig.fault.add({ op: Op.write, countMax: 1, fault: { kind: "error", code: "CEV_MEDIUM" } });
    expect(await rig.submit(Op.write, 0, bytesOf(512, 2), IoFlag.fua)).toBe("CEV_MEDIUM");
    expect((await rig.contents())[0]).toBe(1);
  });

  test("what does not fit into the memory is written below first", async () => {
    const rig = new Rig({ memoryMax: 1024 });
    await rig.submit(Op.write, 0, bytesOf(1024, 1));
    expect(rig.memory.log).toEqual([]);
    await rig.submit(Op.write, 512, bytesOf(512, 2));
    expect(rig.layer.unflushedCount).toBe(0);
    expect([0, 512].map((at) => rig.memory.bytes[at])).toEqual([1, 2]);
    await rig.submit(Op.write, 0, bytesOf(512, 3));
    await rig.submit(Op.writeZeroes, 0, bytesOf(2048, 0));
    expect(await rig.contents()).toEqual(new Uint8Array(SIZE));
  });

  test("a close writes all that is cached; after a cut it writes nothing", async () => {
    for (const [isCut, wanted] of [
      [false, 1],
      [true, 0],
    ] as const) {
      const rig = new Rig();
      await rig.world.drive(openTree(rig.layer));
      await rig.submit(Op.write, 0, bytesOf(512, 1));
      if (isCut) await rig.world.drive(rig.layer.cut("none"));
      await rig.world.drive(closeTree(rig.layer));
      expect(rig.memory.bytes[0]).toBe(wanted);
    }
  });

  test("random work, with cuts at random moments: never less than was durable, from every policy and seed", async () => {
    const policies: readonly CachePolicy[] = ["all", "none", "sectors", "writes", "prefix"];
    let lostCount = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const rig = new Rig({ seed, memoryMax: 4096, policy: policies[seed % policies.length]! });
      const random = new Random(seed);
      const model = new DurabilityModel(new Uint8Array(SIZE));
      for (let round = 0; round < 4; round++) {
        const pending: Promise<void>[] = [];
        // Blocks of writes under way: those of one time do not overlap.
        for (let block = 0; block < 16; block += 2) {
          if (random.chance(0.2)) {
            const ended = model.flushBegan();
            const io = rig.start(Op.flush, 0, new Uint8Array(0));
            pending.push(settle(io, ended));
          }
          const data = random.bytes(512 * random.between(1, 2));
          const isDurable = random.chance(0.3);
          const write = model.began(block * 512, data);
          const io = rig.start(Op.write, block * 512, data, isDurable ? IoFlag.fua : 0);
          pending.push(settle(io, () => model.completed(write, isDurable)));
          if (random.chance(0.3)) rig.world.step();
        }
        if (random.chance(0.5)) await rig.world.drive(Promise.all(pending));
        const report = await rig.world.drive(rig.layer.cut());
        lostCount += report.lost.length;
        await rig.world.drive(Promise.all(pending));
        rig.layer.restore();
        const contents = await rig.contents();
        expect(contents).toEqual(rig.memory.bytes);
        expect(model.firstWrong(contents), `seed ${seed}, round ${round}`).toBe(-1);
        model.learn(contents);
      }
    }
    expect(lostCount).toBeGreaterThan(100);
  });

  test("the same seed leaves the same", async () => {
    const imageOf = async (seed: number): Promise<Uint8Array> => {
      const rig = new Rig({ seed });
      for (let block = 0; block < 16; block += 4)
        await rig.submit(Op.write, block * 512, bytesOf(2048, block + 1));
      await rig.world.drive(rig.layer.cut());
      return rig.memory.bytes;
    };
    expect(await imageOf(5)).toEqual(await imageOf(5));
    expect(await imageOf(5)).not.toEqual(await imageOf(6));
  });

  test("a request of its own meets the power that is off", async () => {
    const rig = new Rig();
    await rig.world.drive(rig.layer.cut());
    const { environment } = rig.world;
    await expect(request(rig.layer, environment, Op.flush, 0, 0)).rejects.toMatchObject({
      code: "CEV_DEVICE_LOST",
    });
  });
});

/** Runs `ended` when the request succeeds. */
function settle(io: Io, ended: () => void): Promise<void> {
  return new Promise((resolve) => {
    io.wait(() => {
      if (io.error === null) ended();
      resolve();
    }, null);
  });
}

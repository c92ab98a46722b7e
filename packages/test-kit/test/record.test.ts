import { Device, IoFlag, Op, environmentFrom, request } from "@cev/core";
import { describe, expect, test } from "vitest";
import {
  DurabilityModel,
  FaultLayer,
  LogWritesSink,
  MemoryLayer,
  MemorySink,
  Random,
  RecordLayer,
  SimulatedWorld,
  WriteLog,
  cutsOf,
  replayRecording,
} from "../src/index.ts";
import { encodeLogSuper } from "../src/record/log-writes.ts";
import { shapeOf, stepsOf } from "./support/recordings.ts";

const environment = environmentFrom(globalThis);
const SIZE = 64 * 1024;
const bytesOf = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);
const memoryOf = (contents: Uint8Array): MemoryLayer =>
  new MemoryLayer(environment, { size: contents.length, contents });

describe("RecordLayer", () => {
  const newLog = (options: { size?: number; memoryMax?: number } = {}) => {
    const device = new MemoryLayer(environment, { size: SIZE, completion: "random" });
    const log = new MemoryLayer(environment, { size: options.size ?? 4 * 1024 * 1024, completion: "later" });
    const errors: string[] = [];
    const sink = new LogWritesSink(log, {
      environment,
      onEnd: ({ code }) => errors.push(code),
      ...(options.memoryMax === undefined ? {} : { memoryMax: options.memoryMax }),
    });
    return { device, log, sink, errors, layer: new RecordLayer(device, { environment, sink }) };
  };

  test("a log of ours gives the device's contents when it is replayed, also at every durable moment", async () => {
    const { device, log, layer } = newLog();
    const before = device.bytes.slice();
    const opened = await Device.open(layer, environment);
    const random = new Random(3);
    for (let count = 0; count < 40; count++) {
      const offset = 512 * random.below(100);
      const length = 512 * random.between(1, 20);
      await Promise.all([
        opened.write(offset, random.bytes(length), { fua: random.chance(0.2) }),
        opened.writeZeroes(offset + length, 1024),
      ]);
      if (random.chance(0.2)) await opened.flush();
    }
    await layer.mark("done");
    await opened.close();
    const written = await WriteLog.open(log, environment);
    const steps = await stepsOf(written);
    expect(steps.slice(-1).map(shapeOf)).toEqual(["dm-log-writes-end"]);
    expect(steps.filter(({ mark }) => mark === "done").length).toBe(1);
    const target = memoryOf(before);
    await replayRecording(written, target, { environment });
    expect(target.bytes).toEqual(device.bytes);
  });

  test("a write stands before a flush that covers it, and behind one that does not", async () => {
    const world = new SimulatedWorld({ seed: 1, order: "fifo" });
    const device = new MemoryLayer(world.environment, { size: SIZE, completion: "byHand" });
    const sink = new MemorySink();
    const layer = new RecordLayer(device, { environment: world.environment, sink });
    const start = (op: Op, offset: number, flags = 0): Promise<void> => {
      const length = op === Op.flush ? 0 : 512;
      return request(
        layer,
        world.environment,
        op,
        offset,
        length,
        op === Op.write ? bytesOf(length, 1) : null,
        flags,
      );
    };
    const all = [start(Op.write, 0), start(Op.write, 512)];
    device.completeNext(1);
    all.push(start(Op.flush, 0));
    device.completeNext(0);
    all.push(start(Op.write, 1024, IoFlag.fua));
    device.completeNext(1);
    all.push(start(Op.discard, 2048));
    device.completeAll();
    await sink.mark("end");
    all.push(start(Op.flush, 0));
    device.completeAll();
    await Promise.all(all);
    expect((await stepsOf(sink)).map(shapeOf)).toEqual([
      "write 1024+512 fua",
      "write 512+512",
      "flush 0+0",
      "end",
      "write 0+512",
      "discard 2048+512",
      "flush 0+0",
    ]);
    expect(sink.requests.map(({ serial, endOrder }) => [serial, endOrder])).toEqual([
      [0, 1],
      [1, 0],
      [2, 3],
      [3, 2],
      [4, 4],
      [5, 5],
    ]);
  });

  test("an older write does not come behind a durable one that overwrote it, nor behind a flush that covered both", async () => {
    const device = new MemoryLayer(environment, { size: SIZE, completion: "byHand" });
    const sink = new MemorySink();
    const layer = new RecordLayer(device, { environment, sink });
    const start = (op: Op, offset: number, length: number, flags = 0): Promise<void> =>
      request(layer, environment, op, offset, length, op === Op.write ? bytesOf(length, 1) : null, flags);
    const all = [start(Op.write, 0, 2048)];
    device.completeAll();
    all.push(start(Op.flush, 0, 0), start(Op.write, 512, 512, IoFlag.fua));
    device.completeNext(1);
    all.push(start(Op.write, 0, 512));
    device.completeNext(1);
    all.push(start(Op.flush, 0, 0));
    device.completeNext(1);
    device.completeNext(0);
    await Promise.all(all);
    expect((await stepsOf(sink)).map(shapeOf)).toEqual([
      "write 512+512 fua",
      "write 0+512",
      "write 1024+1024",
      "write 0+512",
      "flush 0+0",
      "flush 0+0",
    ]);
  });

  test("a flush that failed covers nothing; the next one does", async () => {
    const memory = new MemoryLayer(environment, { size: SIZE });
    const fault = new FaultLayer(memory, environment);
    const sink = new MemorySink();
    const layer = new RecordLayer(fault, { environment, sink });
    fault.add({ op: Op.flush, countMax: 1, fault: { kind: "error", code: "CEV_IO" } });
    await request(layer, environment, Op.write, 0, 512, bytesOf(512, 1));
    await expect(request(layer, environment, Op.flush, 0, 0)).rejects.toMatchObject({ code: "CEV_IO" });
    expect(await stepsOf(sink)).toEqual([]);
    await request(layer, environment, Op.flush, 0, 0);
    expect((await stepsOf(sink)).map(shapeOf)).toEqual(["write 0+512", "flush 0+0"]);
  });

  test("a log that is full ends the recording, says so once, and is valid up to there", async () => {
    const { device, log, errors, sink, layer } = newLog({ size: 16 * 512 });
    const opened = await Device.open(layer, environment);
    for (let count = 0; count < 10; count++) {
      await opened.write(512 * count, bytesOf(512, count + 1));
      await opened.flush();
    }
    await opened.close();
    expect(errors).toEqual(["CEV_NO_SPACE"]);
    expect(sink.error?.code).toBe("CEV_NO_SPACE");
    expect(device.bytes[512 * 9]).toBe(10);
    const steps = await stepsOf(await WriteLog.open(log, environment));
    expect(steps.map(shapeOf)).toEqual(
      [0, 1, 2, 3, 4].flatMap((index) => [`write ${512 * index}+512`, "flush 0+0"]),
    );
  });

  test("requests wait for a log that is behind, and nothing is lost", async () => {
    const { device, log, layer } = newLog({ memoryMax: 4096 });
    const opened = await Device.open(layer, environment);
    const random = new Random(5);
    await Promise.all(
      Array.from({ length: 16 }, (_, index) => opened.write(4096 * index, random.bytes(4096))),
    );
    await opened.close();
    const target = memoryOf(new Uint8Array(SIZE));
    await replayRecording(await WriteLog.open(log, environment), target, { environment });
    expect(target.bytes).toEqual(device.bytes);
  });

  test("in a stack that is only read nothing is written to the log", async () => {
    const device = new MemoryLayer(environment, { size: SIZE });
    const log = new MemoryLayer(environment, { size: SIZE });
    const sink = new LogWritesSink(log, { environment, isReadOnly: true });
    const opened = await Device.open(new RecordLayer(device, { environment, sink }), environment);
    await opened.read(0, 512);
    await opened.flush();
    await opened.close();
    expect(log.log).toEqual([]);
    expect(sink.error?.code).toBe("CEV_READ_ONLY");
  });

  test("an old log is gone as soon as a new one begins", async () => {
    const { log, layer } = newLog();
    log.bytes.set(encodeLogSuper({ entryCount: 5, sectorSize: 512 }));
    const opened = await Device.open(layer, environment);
    expect((await WriteLog.open(log, environment)).entryCount).toBe(0);
    await opened.close();
  });

  test("a log whose blocks are larger than the device's is refused", () => {
    const device = new MemoryLayer(environment, { size: SIZE });
    const log = new MemoryLayer(environment, { size: SIZE, blockSize: 4096 });
    const sink = new LogWritesSink(log, { environment });
    expect(() => new RecordLayer(device, { environment, sink })).toThrow(
      expect.objectContaining({ code: "CEV_INVALID" }),
    );
  });

  test("what was recorded is replayed at its pace", async () => {
    const world = new SimulatedWorld({ seed: 1 });
    const sink = new MemorySink();
    const layer = new RecordLayer(new MemoryLayer(world.environment, { size: SIZE }), {
      environment: world.environment,
      sink,
    });
    for (const at of [0, 100, 400]) {
      while (world.now < at)
        await world.drive(
          new Promise<void>((resolve) => void world.environment.clock.after(at - world.now, resolve)),
        );
      await request(layer, world.environment, Op.write, at * 0, 512, bytesOf(512, 1), IoFlag.fua);
    }
    const times: number[] = [];
    const startedAt = world.now;
    const target = new MemoryLayer(world.environment, { size: SIZE });
    await world.drive(
      replayRecording(sink, target, {
        environment: world.environment,
        pace: 2,
        onStep: () => void times.push(world.now - startedAt),
      }),
    );
    expect(times).toEqual([0, 50, 200]);
  });
});

test("cutsOf leaves what the recorded device could have left: every image is one that the model allows", async () => {
  const sink = new MemorySink();
  const layer = new RecordLayer(new MemoryLayer(environment, { size: SIZE }), { environment, sink });
  const random = new Random(11);
  const models: { readonly count: number; readonly model: DurabilityModel }[] = [];
  const model = new DurabilityModel(new Uint8Array(SIZE));
  let durableCount = 0;
  for (let count = 0; count < 40; count++) {
    if (random.chance(0.2)) {
      models[durableCount++] = { count, model: model.copy() };
      const ended = model.flushBegan();
      await request(layer, environment, Op.flush, 0, 0);
      ended();
      continue;
    }
    const data = random.bytes(512 * random.between(1, 6));
    const offset = 512 * random.below(100);
    const write = model.began(offset, data);
    await request(layer, environment, Op.write, offset, data.length, data);
    model.completed(write, false);
  }
  await sink.close();
  models.push({ count: 40, model: model.copy() });
  const found = new Set<string>();
  let index = 0;
  for await (const { at, policy, image } of cutsOf(sink, {
    before: new Uint8Array(SIZE),
    random: new Random(1),
    policies: ["all", "none", "sectors"],
  })) {
    expect(models[Math.floor(index++ / 3)]!.model.firstWrong(image), `before step ${at}, ${policy}`).toBe(-1);
    found.add(image.join());
  }
  expect(index).toBe(models.length * 3);
  expect(found.size).toBeGreaterThan(models.length + 5);
});

test("cutsOf tears a durable write that has not ended, sector by sector, and none that has", async () => {
  const sink = new MemorySink();
  const layer = new RecordLayer(new MemoryLayer(environment, { size: SIZE }), { environment, sink });
  const length = 4096;
  const write = (offset: number, value: number): Promise<void> =>
    request(layer, environment, Op.write, offset, length, bytesOf(length, value), IoFlag.fua);
  await write(0, 1);
  await write(8192, 2);
  await sink.close();
  const torn = new Map<number, number>();
  for (let seed = 1; seed <= 8; seed++)
    for await (const { at, image } of cutsOf(sink, {
      before: new Uint8Array(SIZE),
      random: new Random(seed),
      policies: ["sectors", "none"],
    })) {
      const countOf = (value: number): number => image.filter((byte) => byte === value).length;
      const counts = [countOf(1), countOf(2)];
      // Before a write that has not begun nothing is there of it, and all of those that have ended.
      expect(counts.map((count, index) => index < at || count % 512 === 0)).toEqual([true, true]);
      expect(
        counts.map((count, index) => (index < at ? count === length : index === at || count === 0)),
      ).toEqual([true, true]);
      const count = counts[at] ?? 0;
      if (count > 0 && count < length) torn.set(at, (torn.get(at) ?? 0) + 1);
    }
  expect([torn.get(0)! > 4, torn.get(1)! > 4, torn.has(2)]).toEqual([true, true, false]);
});

import { describe, expect, it } from "vitest";
import { CancelScope, Device, Io, IoError, Op, closeTree, environmentFrom, openTree } from "../src/index.ts";
import { MemoryLayer, OffsetLayer } from "./support.ts";

const environment = environmentFrom(globalThis);

async function opened(
  options: { isReadOnly?: boolean; blockSize?: number } = {},
): Promise<{ memory: MemoryLayer; device: Device }> {
  const memory = new MemoryLayer(65_536);
  return { memory, device: await Device.open(memory, environment, options) };
}

describe("Device", () => {
  it("reads what was written, with promises", async () => {
    const { device } = await opened();
    await device.write(1000, new Uint8Array([1, 2, 3]));
    await device.flush();
    expect([...(await device.read(999, 5))]).toEqual([0, 1, 2, 3, 0]);
    const into = new Uint8Array(2);
    await device.readInto(1001, into);
    expect([...into]).toEqual([2, 3]);
  });

  it("refuses what passes its end, whatever the numbers, and touches nothing", async () => {
    const { memory, device } = await opened();
    for (const [offset, length] of [
      [65_536, 1],
      [65_000, 1000],
      [-1, 10],
      [0, Number.MAX_SAFE_INTEGER],
      [Number.NaN, 1],
      [2 ** 60, 1],
    ] as const) {
      await expect(device.discard(offset, length)).rejects.toMatchObject({ code: "CEV_OUT_OF_RANGE" });
    }
    await expect(device.read(0.5, 1)).rejects.toMatchObject({ code: "CEV_INVALID" });
    expect(memory.seen).toEqual([]);
  });

  it("checks alignment where it was opened with the layer's own block size", async () => {
    const { device } = await opened({ blockSize: 512 });
    await expect(device.read(100, 512)).rejects.toMatchObject({ code: "CEV_INVALID" });
    await expect(device.read(512, 100)).rejects.toMatchObject({ code: "CEV_INVALID" });
    expect((await device.read(512, 512)).length).toBe(512);
  });

  it("does requests of no length without asking anybody", async () => {
    const { memory, device } = await opened();
    await device.write(65_536, new Uint8Array(0));
    expect((await device.read(10, 0)).length).toBe(0);
    expect(memory.seen).toEqual([]);
  });

  it("refuses an Io whose memory is shorter than its length", async () => {
    const { device } = await opened();
    const io = new Io(environment.runQueue).prepare(Op.read, 0, 1024, new Uint8Array(512));
    device.submit(io);
    expect(io.error?.code).toBe("CEV_INVALID");
  });

  it("opened read-only it refuses all that writes, and a flush is nothing", async () => {
    const { memory, device } = await opened({ isReadOnly: true });
    await expect(device.write(0, new Uint8Array(512))).rejects.toMatchObject({ code: "CEV_READ_ONLY" });
    await expect(device.writeZeroes(0, 512)).rejects.toMatchObject({ code: "CEV_READ_ONLY" });
    await expect(device.discard(0, 512)).rejects.toMatchObject({ code: "CEV_READ_ONLY" });
    await device.flush();
    await device.close();
    expect(memory.seen).toEqual([]);
  });

  it("two writers on one device are refused, a reader beside a writer is not", async () => {
    const { memory, device } = await opened();
    await expect(Device.open(memory, environment)).rejects.toMatchObject({ code: "CEV_BUSY" });
    const reader = await Device.open(memory, environment, { isReadOnly: true });
    await reader.close();
    await device.close();
    await (await Device.open(memory, environment)).close();
  });

  it("two layers that would write one lower are refused, and a failed open leaves no claim", async () => {
    const memory = new MemoryLayer(65_536);
    const one = await Device.open(new OffsetLayer(memory, 512), environment);
    await expect(Device.open(new OffsetLayer(memory, 1024), environment)).rejects.toMatchObject({
      code: "CEV_BUSY",
    });
    await one.close();
    await (await Device.open(new OffsetLayer(memory, 1024), environment)).close();
  });

  it("a layer that two stacks share is opened once, and closed with the last", async () => {
    const memory = new MemoryLayer(65_536);
    let opens = 0;
    let closes = 0;
    memory.open = () =>
      Promise.resolve().then(() => {
        opens++;
      });
    memory.close = () =>
      Promise.resolve().then(() => {
        closes++;
      });
    const one = await Device.open(memory, environment, { isReadOnly: true });
    const two = await Device.open(memory, environment, { isReadOnly: true });
    await one.close();
    expect([opens, closes]).toEqual([1, 0]);
    await two.close();
    expect([opens, closes]).toEqual([1, 1]);
    await openTree(memory);
    const claim = memory.claims.acquire({ name: "somebody" }, "write", "memory");
    await expect(closeTree(memory)).rejects.toMatchObject({ code: "CEV_BUSY" });
    claim.release();
    await closeTree(memory);
  });

  it("gives the stack back where it cannot be shown in the blocks that were asked for", async () => {
    const memory = new MemoryLayer(65_536);
    await expect(Device.open(memory, environment, { blockSize: 7 })).rejects.toMatchObject({
      code: "CEV_INVALID",
    });
    expect([memory.claims.openCount, memory.claims.count]).toEqual([0, 0]);
  });

  it("closing refuses new requests, waits for those under way, and flushes", async () => {
    const { memory, device } = await opened();
    memory.isManual = true;
    const write = device.write(0, new Uint8Array(512).fill(1));
    let isClosed = false;
    const closing = device.close().then(() => (isClosed = true));
    expect(device.close()).toBe(device.close());
    await expect(device.read(0, 512)).rejects.toMatchObject({ code: "CEV_CLOSED" });
    await Promise.resolve();
    expect([isClosed, device.inFlightCount]).toEqual([false, 1]);
    memory.finish();
    await write;
    while (memory.waiting.length === 0) await new Promise(setImmediate);
    expect(memory.waiting.map((io) => io.op)).toEqual([Op.flush]);
    memory.finish();
    await closing;
    expect(isClosed).toBe(true);
  });

  it("a flush that fails at the end fails the close, and everything is closed all the same", async () => {
    const { memory, device } = await opened();
    memory.failure = () => new IoError("CEV_IO", "flush failed");
    await expect(device.close()).rejects.toMatchObject({ code: "CEV_IO" });
    expect([memory.claims.count, memory.claims.openCount]).toEqual([0, 0]);
  });

  it("a submit that throws at the flush of the end fails the close, and everything is closed all the same", async () => {
    const { memory, device } = await opened();
    memory.submit = () => {
      throw new TypeError("x is not a function");
    };
    await expect(device.close()).rejects.toMatchObject({ code: "CEV_PROGRAM" });
    expect([memory.claims.count, memory.claims.openCount]).toEqual([0, 0]);
  });

  it("a layer whose close throws at once fails the close, and what is below is closed all the same", async () => {
    const memory = new MemoryLayer(65_536);
    const upper = new OffsetLayer(memory, 0);
    const device = await Device.open(upper, environment);
    upper.close = () => {
      throw new TypeError("x is not a function");
    };
    await expect(device.close()).rejects.toThrow("x is not a function");
    expect([upper.claims.count, memory.claims.openCount]).toEqual([0, 0]);
  });

  it("a layer that fails to open after it has claimed what is below has nothing there any more, which is closed", async () => {
    const memory = new MemoryLayer(65_536);
    const upper = new OffsetLayer(memory, 0);
    const open = upper.open.bind(upper);
    upper.open = async () => {
      await open();
      throw new TypeError("x is not a function");
    };
    await openTree(memory);
    await expect(Device.open(upper, environment)).rejects.toThrow("x is not a function");
    expect([memory.claims.count, memory.claims.openCount]).toEqual([0, 1]);
    await closeTree(memory);
    expect(memory.claims.openCount).toBe(0);
  });

  it("closes by itself at the end of its scope", async () => {
    const memory = new MemoryLayer(65_536);
    {
      await using device = await Device.open(memory, environment);
      await device.write(0, new Uint8Array(1));
    }
    expect(memory.claims.count).toBe(0);
  });

  it("a layer whose submit throws fails that request alone, wherever it stands, and the device closes", async () => {
    for (const part of [null, 4096]) {
      const memory = new MemoryLayer(65_536, part === null ? {} : { limits: { ioLengthMax: part } });
      const submit = memory.submit.bind(memory);
      memory.submit = (io) => {
        if (io.op === Op.read && io.offset === 8192) throw new TypeError("x is not a function");
        submit(io);
      };
      const device = await Device.open(memory, environment);
      await expect(device.read(8192, 16_384)).rejects.toMatchObject({ code: "CEV_PROGRAM" });
      await expect(device.read(8192, 512)).rejects.toThrow(/submit of a layer threw: x is not a function/);
      expect((await device.read(0, 512)).length).toBe(512);
      expect(device.inFlightCount).toBe(0);
      await device.close();
    }
  });

  it("a layer whose submit throws at the flush after a durable write fails that write", async () => {
    const memory = new MemoryLayer(65_536, { support: { fua: "none" } });
    const submit = memory.submit.bind(memory);
    memory.submit = (io) => {
      if (io.op === Op.flush) throw new TypeError("x is not a function");
      submit(io);
    };
    const device = await Device.open(memory, environment);
    const write = device.write(0, new Uint8Array(512), { fua: true });
    await expect(write).rejects.toMatchObject({ code: "CEV_PROGRAM" });
    expect(device.inFlightCount).toBe(0);
  });

  it("a layer whose submit throws fails a write that waited for another one to the same block", async () => {
    const memory = new MemoryLayer(65_536);
    const submit = memory.submit.bind(memory);
    memory.isManual = true;
    const device = await Device.open(memory, environment);
    const first = device.write(0, new Uint8Array(10));
    const second = device.write(0, new Uint8Array(512));
    memory.submit = (io) => {
      if (io.op === Op.write && io.length === 512 && io.data[0] === 0 && memory.seen.length > 1)
        throw new TypeError("x is not a function");
      submit(io);
    };
    memory.finishAll();
    await first;
    await expect(second).rejects.toMatchObject({ code: "CEV_PROGRAM" });
    expect(device.inFlightCount).toBe(0);
  });

  it("an abort signal cancels what is under way, and refuses what comes later", async () => {
    const { memory, device } = await opened();
    memory.isManual = true;
    const controller = new AbortController();
    const reads = [0, 512, 1024].map((offset) => device.read(offset, 512, { signal: controller.signal }));
    const other = device.read(2048, 512);
    memory.finish();
    controller.abort();
    expect((await reads[0]!).length).toBe(512);
    await expect(reads[1]).rejects.toMatchObject({ code: "CEV_CANCELLED" });
    await expect(reads[2]).rejects.toMatchObject({ code: "CEV_CANCELLED" });
    await expect(device.read(0, 512, { signal: controller.signal })).rejects.toMatchObject({
      code: "CEV_CANCELLED",
    });
    memory.finishAll();
    expect((await other).length).toBe(512);
  });

  it("an Io that ends during an abort and is used again at once is not cancelled with the others", () => {
    const memory = new MemoryLayer(65_536);
    memory.isManual = true;
    const controller = new AbortController();
    const scope = new CancelScope(controller.signal);
    const [first, second] = [0, 512].map((offset) =>
      new Io(environment.runQueue).prepare(Op.read, offset, 512, new Uint8Array(512)),
    );
    for (const io of [second!, first!]) {
      scope.add(io);
      memory.submit(io);
    }
    second!.setOwner((io) => memory.submit(io.prepare(Op.read, 1024, 512, new Uint8Array(512))), null);
    first!.setOwner(() => memory.finish(), null);
    controller.abort();
    expect([first!.error?.code, second!.isCancelRequested, second!.offset]).toEqual([
      "CEV_CANCELLED",
      false,
      1024,
    ]);
    memory.finishAll();
    expect(second!.isUpToDate).toBe(true);
    scope.close();
  });

  it("hands out a large range in chunks by offset, several under way at once", async () => {
    const { memory, device } = await opened();
    memory.bytes.forEach((_, at) => (memory.bytes[at] = at % 249));
    const parts: number[] = [];
    const all = new Uint8Array(60_000);
    for await (const { offset, data } of device.chunks(1000, 60_000, { chunkLength: 7000 })) {
      parts.push(offset);
      all.set(data, offset - 1000);
    }
    expect(parts).toEqual([1000, 8000, 15_000, 22_000, 29_000, 36_000, 43_000, 50_000, 57_000]);
    expect(Buffer.compare(all, memory.bytes.subarray(1000, 61_000))).toBe(0);
  });

  it("T3 hands out chunks as they arrive, before the whole is there", async () => {
    const { memory, device } = await opened();
    memory.isManual = true;
    const chunks = device.chunks(0, 2048, { chunkLength: 512, order: "arrival" });
    const first = chunks.next();
    expect(memory.waiting.length).toBe(4);
    memory.finish(2);
    expect((await first).value).toMatchObject({ offset: 1024 });
    const second = chunks.next();
    memory.finish(0);
    expect((await second).value).toMatchObject({ offset: 0 });
    memory.finishAll();
    await chunks.return();
  });

  it("a failed chunk ends the iteration with its error, and leaves no rejection behind", async () => {
    const { memory, device } = await opened();
    memory.failure = (io) => (io.offset >= 1024 ? new IoError("CEV_MEDIUM", "bad sector") : null);
    const seen: number[] = [];
    await expect(
      (async () => {
        for await (const { offset } of device.chunks(0, 8192, { chunkLength: 512 })) seen.push(offset);
      })(),
    ).rejects.toMatchObject({ code: "CEV_MEDIUM" });
    expect(seen).toEqual([0, 512]);
  });
});

import { fc, test } from "@fast-check/vitest";
import { describe, expect, it } from "vitest";
import { BlockLayer, Device, IoError, IoFlag, Op, adapt, environmentFrom, request } from "../src/index.ts";
import type { Io, Limits, Support } from "../src/index.ts";
import { MemoryLayer } from "./support.ts";

const SIZE = 64 * 1024;

const NARROW: { name: string; limits: Partial<Limits>; support: Partial<Support> }[] = [
  { name: "large blocks", limits: { logicalBlockSize: 4096 }, support: {} },
  { name: "short requests", limits: { ioLengthMax: 3000 }, support: {} },
  { name: "no FUA, no zeroes", limits: {}, support: { fua: "none", writeZeroes: "none" } },
  {
    name: "all at once",
    limits: { logicalBlockSize: 1024, ioLengthMax: 4096 },
    support: { fua: "none", writeZeroes: "none", discard: "none" },
  },
];

type Step = { op: "read" | "write" | "zeroes"; offset: number; length: number; fill: number; fua: boolean };

const step: fc.Arbitrary<Step> = fc.record({
  op: fc.constantFrom("read", "write", "zeroes"),
  offset: fc.integer({ min: 0, max: SIZE }),
  length: fc.integer({ min: 0, max: 20_000 }),
  fill: fc.integer({ min: 1, max: 255 }),
  fua: fc.boolean(),
});

describe("adapters that a device puts over a layer", () => {
  for (const { name, limits, support } of NARROW) {
    test.prop([fc.array(step, { maxLength: 30 })], { numRuns: 60 })(
      `any request at any alignment over ${name} does what it would to plain memory`,
      async (steps) => {
        const memory = new MemoryLayer(SIZE, { limits, support });
        const environment = environmentFrom(globalThis);
        memory.failure = (io) => {
          const isSmall = io.length <= memory.limits.ioLengthMax || io.op > Op.write;
          const isAligned =
            io.offset % memory.limits.logicalBlockSize === 0 &&
            io.length % memory.limits.logicalBlockSize === 0;
          const isOffered = memory.support.fua !== "none" || (io.flags & IoFlag.fua) === 0;
          return isSmall && isAligned && isOffered ? null : new IoError("CEV_INVALID", "beyond the limits");
        };
        const device = await Device.open(memory, environment);
        const model = new Uint8Array(SIZE);
        for (const { op, offset, length: wanted, fill, fua } of steps) {
          const length = Math.min(wanted, SIZE - offset);
          if (op === "read") {
            expect(
              Buffer.compare(await device.read(offset, length), model.subarray(offset, offset + length)),
            ).toBe(0);
          } else if (op === "write") {
            const data = new Uint8Array(length).fill(fill);
            await device.write(offset, data, { fua });
            expect(data.every((byte) => byte === fill)).toBe(true);
            model.fill(fill, offset, offset + length);
          } else {
            await device.writeZeroes(offset, length, { fua });
            model.fill(0, offset, offset + length);
          }
        }
        expect(Buffer.compare(memory.bytes, model)).toBe(0);
        expect(environment.buffers.bytesLent).toBe(0);
        await device.close();
      },
    );
  }

  it("writes to parts of one block, all at once, lose nothing", async () => {
    const memory = new MemoryLayer(SIZE, { limits: { logicalBlockSize: 4096 } });
    memory.isManual = true;
    const device = await Device.open(memory, environmentFrom(globalThis));
    const writes = Array.from({ length: 64 }, (_, index) =>
      device.write(index * 100, new Uint8Array(100).fill(index + 1)),
    );
    const timer = setInterval(() => memory.finishAll(), 0);
    await Promise.all(writes);
    const read = device.read(0, 6400);
    const data = await read;
    clearInterval(timer);
    for (let index = 0; index < 64; index++) expect(data[index * 100 + 50]).toBe(index + 1);
  });

  it("a failed part of a long request fails it, with what was transferred before", async () => {
    const memory = new MemoryLayer(SIZE, { limits: { ioLengthMax: 4096 } });
    memory.failure = (io) => (io.offset === 8192 ? new IoError("CEV_MEDIUM", "bad sector") : null);
    const device = await Device.open(memory, environmentFrom(globalThis));
    await expect(device.read(0, 16_384)).rejects.toMatchObject({ code: "CEV_MEDIUM" });
  });

  it("a failed read before a partial write fails the write, and the block stays as it was", async () => {
    const memory = new MemoryLayer(SIZE, { limits: { logicalBlockSize: 4096 } });
    memory.failure = (io) => (io.op === Op.read ? new IoError("CEV_MEDIUM", "bad sector") : null);
    const environment = environmentFrom(globalThis);
    const device = await Device.open(memory, environment);
    await expect(device.write(100, new Uint8Array(50).fill(1))).rejects.toMatchObject({ code: "CEV_MEDIUM" });
    expect(memory.bytes.every((byte) => byte === 0)).toBe(true);
    expect(environment.buffers.bytesLent).toBe(0);
    memory.failure = () => null;
    await device.write(100, new Uint8Array(50).fill(1));
    expect(memory.bytes[120]).toBe(1);
  });

  it("a durable write over a device without FUA is a write and then a flush", async () => {
    const memory = new MemoryLayer(SIZE, { support: { fua: "none" } });
    const device = await Device.open(memory, environmentFrom(globalThis));
    await device.write(0, new Uint8Array(512), { fua: true });
    expect(memory.seen.map((io) => io.op)).toEqual([Op.write, Op.flush]);
    memory.failure = (io) => (io.op === Op.flush ? new IoError("CEV_IO", "flush failed") : null);
    await expect(device.write(0, new Uint8Array(512), { fua: true })).rejects.toMatchObject({
      code: "CEV_IO",
    });
  });

  it("zeroes that must be fast are refused where they would be written out", async () => {
    const memory = new MemoryLayer(SIZE, { support: { writeZeroes: "none" } });
    const environment = environmentFrom(globalThis);
    const top = adapt(memory, environment, 1);
    await expect(
      request(top, environment, Op.writeZeroes, 0, 4096, null, IoFlag.fastZero),
    ).rejects.toMatchObject({ code: "CEV_NOT_SUPPORTED" });
    expect(memory.seen).toEqual([]);
  });

  it("a discard of parts of blocks leaves those parts as they are", async () => {
    const memory = new MemoryLayer(SIZE, { limits: { logicalBlockSize: 4096 } });
    const device = await Device.open(memory, environmentFrom(globalThis));
    await device.discard(100, 200);
    expect(memory.seen).toEqual([]);
    const seen: [number, number][] = [];
    memory.failure = (io: Io) => {
      seen.push([io.offset, io.length]);
      return null;
    };
    await device.discard(4000, 10_000);
    expect(seen).toEqual([[4096, 8192]]);
  });

  it("what a layer takes as it is, gets no adapter", () => {
    const memory = new MemoryLayer(SIZE);
    expect(adapt(memory, environmentFrom(globalThis), 512)).toBe(memory);
    expect(() => adapt(memory, environmentFrom(globalThis), 1000)).toThrow(/does not divide/);
  });

  it("refuses a discard within one block where discards are not offered", async () => {
    const memory = new MemoryLayer(SIZE, {
      limits: { logicalBlockSize: 4096 },
      support: { discard: "none" },
    });
    const environment = environmentFrom(globalThis);
    const blocks = adapt(memory, environment, 1);
    await expect(request(blocks, environment, Op.discard, 10, 20)).rejects.toMatchObject({
      code: "CEV_NOT_SUPPORTED",
    });
  });

  it("refuses zeroes of part of a block where zeroes are not offered, with nothing written", async () => {
    const memory = new MemoryLayer(SIZE, {
      limits: { logicalBlockSize: 4096 },
      support: { writeZeroes: "none" },
    });
    const environment = environmentFrom(globalThis);
    const blocks = new BlockLayer(memory, { logicalBlockSize: 1, environment });
    const data = new Uint8Array(10_000).fill(7);
    await request(blocks, environment, Op.write, 100, 10_000, data);
    for (const length of [20, 10_000])
      await expect(request(blocks, environment, Op.writeZeroes, 100, length)).rejects.toMatchObject({
        code: "CEV_NOT_SUPPORTED",
      });
    const back = new Uint8Array(10_000);
    await request(blocks, environment, Op.read, 100, 10_000, back);
    expect(back).toEqual(data);
  });

  it("refuses fast zeroes of part of a block before it has written any of them", async () => {
    const memory = new MemoryLayer(SIZE, {
      limits: { logicalBlockSize: 4096 },
      support: { writeZeroes: "none" },
    });
    const environment = environmentFrom(globalThis);
    const blocks = adapt(memory, environment, 1);
    const data = new Uint8Array(10_000).fill(7);
    await request(blocks, environment, Op.write, 100, 10_000, data);
    const zeroing = request(blocks, environment, Op.writeZeroes, 100, 10_000, null, IoFlag.fastZero);
    await expect(zeroing).rejects.toMatchObject({ code: "CEV_NOT_SUPPORTED" });
    const back = new Uint8Array(10_000);
    await request(blocks, environment, Op.read, 100, 10_000, back);
    expect(back).toEqual(data);
  });
});

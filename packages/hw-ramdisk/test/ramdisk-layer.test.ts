import { BufferPool, Device, Io, IoFlag, Op, environmentFrom, request } from "@cev/core";
import { fc, test } from "@fast-check/vitest";
import { describe, expect } from "vitest";
import { RamdiskLayer } from "../src/index.ts";

const PIECE = 65_536;
const bytesOf = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);

function newRamdisk(size: number, { blockSize = 1, bytesMax = Number.MAX_SAFE_INTEGER } = {}) {
  const buffers = new BufferPool({ bytesMax });
  const environment = environmentFrom(globalThis, { buffers });
  const layer = new RamdiskLayer(environment, { size, blockSize });
  return { buffers, environment, layer, open: () => Device.open(layer, environment) };
}

describe("contents", () => {
  test("S7 what was never written reads as zeroes, whatever the memory held", async () => {
    const { layer, open } = newRamdisk(4 * PIECE);
    const device = await open();
    expect(await device.read(PIECE - 100, 200)).toEqual(bytesOf(200, 0));
    const dirty = bytesOf(300, 9);
    await device.readInto(5, dirty);
    expect(dirty).toEqual(bytesOf(300, 0));
    expect(layer.bytesAllocated).toBe(0);
  });

  test("memory that held something else is zeroed around the first write", async () => {
    const { layer, open } = newRamdisk(PIECE);
    const device = await open();
    await device.write(0, bytesOf(PIECE, 7));
    layer.clear();
    await device.write(1000, bytesOf(10, 3));
    const expected = bytesOf(PIECE, 0);
    expected.fill(3, 1000, 1010);
    expect(await device.read(0, PIECE)).toEqual(expected);
  });

  test("the end of 8 PiB can be written, in one piece of memory", async () => {
    const size = Number.MAX_SAFE_INTEGER - 4095;
    const { layer, open } = newRamdisk(size);
    const device = await open();
    await device.write(size - 5000, bytesOf(5000, 8));
    expect(await device.read(size - 5001, 5001)).toEqual(Uint8Array.of(0, ...bytesOf(5000, 8)));
    expect(layer.bytesAllocated).toBe(PIECE);
    await device.close();
  });

  test("contents outlive a close", async () => {
    const { layer, environment, open } = newRamdisk(PIECE);
    const device = await open();
    await device.write(10, bytesOf(10, 4));
    await device.close();
    const again = await Device.open(layer, environment);
    expect(await again.read(10, 10)).toEqual(bytesOf(10, 4));
  });

  const operation = fc.record({
    op: fc.constantFrom("write", "zero", "hole", "read"),
    offset: fc.nat(3 * PIECE),
    length: fc.oneof(fc.nat(5000), fc.nat(2 * PIECE)),
    value: fc.integer({ min: 1, max: 255 }),
  });

  test.prop([fc.array(operation, { maxLength: 30 })], { numRuns: 60 })(
    "any sequence of requests leaves what a plain array holds",
    async (operations) => {
      const size = 3 * PIECE;
      const { open } = newRamdisk(size);
      const device = await open();
      const model = new Uint8Array(size);
      for (const { op, offset, length: wanted, value } of operations) {
        const length = Math.min(wanted, size - offset);
        if (op === "write") {
          await device.write(offset, bytesOf(length, value));
          model.fill(value, offset, offset + length);
        } else if (op === "read") {
          expect(await device.read(offset, length)).toEqual(model.slice(offset, offset + length));
        } else {
          await device.writeZeroes(offset, length, { noHole: op === "zero" });
          model.fill(0, offset, offset + length);
        }
      }
      expect(Buffer.compare(await device.read(0, size), model)).toBe(0);
    },
  );
});

describe("memory", () => {
  test("discarding and zeroing whole pieces gives their memory back; parts keep it", async () => {
    const { buffers, layer, open } = newRamdisk(4 * PIECE);
    const device = await open();
    await device.write(0, bytesOf(4 * PIECE, 1));
    expect(layer.bytesAllocated).toBe(4 * PIECE);
    await device.discard(100, 2 * PIECE);
    expect(layer.bytesAllocated).toBe(3 * PIECE);
    expect(await device.read(100, PIECE - 100)).toEqual(bytesOf(PIECE - 100, 1));
    await device.writeZeroes(100, 2 * PIECE);
    expect(layer.bytesAllocated).toBe(3 * PIECE);
    await device.writeZeroes(0, 4 * PIECE);
    expect(layer.bytesAllocated).toBe(0);
    expect(buffers.bytesLent).toBe(0);
  });

  test("erasing 8 PiB takes no longer than what was written deserves", async () => {
    const size = Number.MAX_SAFE_INTEGER - 4095;
    const { layer, open } = newRamdisk(size);
    const device = await open();
    for (const offset of [0, size / 2, size - 10]) await device.write(Math.floor(offset), bytesOf(10, 1));
    await device.writeZeroes(1, size - 1);
    // The first piece is not whole, the last one neither: the device ends within it.
    expect(layer.bytesAllocated).toBe(2 * PIECE);
    expect(await device.read(0, 3)).toEqual(Uint8Array.of(1, 0, 0));
    expect(await device.read(size - 10, 10)).toEqual(bytesOf(10, 0));
  });

  test("zeroes with noHole have memory", async () => {
    const { layer, open } = newRamdisk(4 * PIECE);
    const device = await open();
    await device.writeZeroes(10, PIECE, { noHole: true });
    expect(layer.bytesAllocated).toBe(2 * PIECE);
  });

  test("clear gives everything back", async () => {
    const { buffers, layer, open } = newRamdisk(200 * 1024 * PIECE);
    const device = await open();
    await device.write(0, bytesOf(10, 1));
    await device.write(150 * 1024 * PIECE, bytesOf(10, 1));
    layer.clear();
    expect(buffers.bytesLent).toBe(0);
    expect(await device.read(0, 10)).toEqual(bytesOf(10, 0));
  });

  test.each([
    { op: Op.write, flags: 0 },
    { op: Op.writeZeroes, flags: IoFlag.noHole },
  ])("a full pool is CEV_NO_SPACE after the bytes that found room (operation $op)", async ({ op, flags }) => {
    const { environment, layer } = newRamdisk(4 * PIECE, { bytesMax: 2 * PIECE });
    const data = op === Op.write ? bytesOf(3 * PIECE, 1) : null;
    const io = new Io(environment.runQueue).prepare(op, 0, 3 * PIECE, data, 0, flags);
    layer.submit(io);
    expect(io.error).toMatchObject({ code: "CEV_NO_SPACE", place: { offset: 0, length: 3 * PIECE } });
    expect(io.transferred).toBe(2 * PIECE);
    await request(layer, environment, Op.writeZeroes, 0, PIECE);
    await request(layer, environment, Op.write, 3 * PIECE, 10, bytesOf(10, 2));
  });
});

describe("requests", () => {
  test("complete before submit returns, on the memory that was handed in", () => {
    const { environment, layer } = newRamdisk(PIECE);
    const data = Uint8Array.of(0, 1, 2, 3, 4, 0);
    const io = new Io(environment.runQueue).prepare(Op.write, 100, 3, data, 1);
    layer.submit(io);
    expect(io.isUpToDate).toBe(true);
    const back = bytesOf(6, 9);
    layer.submit(io.prepare(Op.read, 99, 5, back, 1));
    expect(back).toEqual(Uint8Array.of(9, 0, 1, 2, 3, 0));
  });

  test("an operation invented later is refused", () => {
    const { environment, layer } = newRamdisk(PIECE);
    const io = new Io(environment.runQueue).prepare(7 as Op, 0, 512);
    layer.submit(io);
    expect(io.error?.code).toBe("CEV_NOT_SUPPORTED");
  });

  test("a view of a larger buffer and a Buffer are as good as any memory", async () => {
    const { open } = newRamdisk(PIECE);
    const device = await open();
    await device.write(0, Buffer.from("..hello..").subarray(2, 7));
    expect(Buffer.from(await device.read(0, 5)).toString()).toBe("hello");
  });
});

describe("extents", () => {
  const lettersOf = async (device: Device, offset = 0, length = device.size - offset): Promise<string> =>
    (await device.extents(offset, length))
      .map((extent) => `${extent.isHole && extent.isZero ? "h" : "d"}${extent.length / PIECE}`)
      .join(" ");

  test("pieces that have memory are data, the others are holes", async () => {
    const { open } = newRamdisk(8 * PIECE);
    await using device = await open();
    expect(device.knowsExtents).toBe(true);
    expect(await lettersOf(device)).toBe("h8");
    await device.write(2 * PIECE + 5, bytesOf(PIECE, 7));
    expect(await lettersOf(device)).toBe("h2 d2 h4");
    expect(await lettersOf(device, 1.5 * PIECE, PIECE)).toBe("h0.5 d0.5");
    // Zeroes in part of a piece keep its memory.
    await device.writeZeroes(2 * PIECE, 1.5 * PIECE);
    expect(await lettersOf(device)).toBe("h3 d1 h4");
    await device.writeZeroes(6 * PIECE, 2 * PIECE, { noHole: true });
    expect(await lettersOf(device)).toBe("h3 d1 h2 d2");
    await device.discard(0, device.size);
    expect(await lettersOf(device)).toBe("h8");
  });

  test("a device of 8 PiB with a few pieces is mapped within a second", async () => {
    const size = 2 ** 53 - PIECE;
    const { open } = newRamdisk(size);
    await using device = await open();
    await device.write(2 ** 52, bytesOf(PIECE, 1));
    await device.write(size - 1, bytesOf(1, 1));
    const extents = await device.extents(0, size);
    expect(extents.map(({ length, isHole }) => [length, isHole])).toEqual([
      [2 ** 52, true],
      [PIECE, false],
      [size - 2 ** 52 - 2 * PIECE, true],
      [PIECE, false],
    ]);
  });
});

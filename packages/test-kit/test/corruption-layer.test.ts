import { Io, Op, environmentFrom } from "@cev/core";
import { describe, expect, test } from "vitest";
import { CorruptionLayer, MemoryLayer, Random } from "../src/index.ts";
import type { Corruption, CorruptionOptions } from "../src/index.ts";

const environment = environmentFrom(globalThis);
const bytesOf = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);
const SIZE = 8192;

function newLayers(options: CorruptionOptions = {}): { memory: MemoryLayer; layer: CorruptionLayer } {
  const memory = new MemoryLayer(environment, { size: SIZE });
  return { memory, layer: new CorruptionLayer(memory, options) };
}

function submit(layer: CorruptionLayer, op: Op, offset: number, data: Uint8Array): Uint8Array {
  const io = new Io(environment.runQueue).prepare(op, offset, data.length, data);
  layer.submit(io);
  expect(io).toMatchObject({ error: null, offset, length: data.length, transferred: data.length });
  return data;
}

const read = (layer: CorruptionLayer, offset: number, length: number): Uint8Array =>
  submit(layer, Op.read, offset, new Uint8Array(length));
const valuesOf = (bytes: Uint8Array): number[] =>
  Array.from({ length: bytes.length / 512 }, (_, index) => bytes[index * 512]!);

describe("CorruptionLayer", () => {
  test("rot stays until the place is written again, and names its bits", () => {
    const { layer, memory } = newLayers();
    layer.rot(1024, 512, 3);
    const [record] = layer.corruptions;
    expect(record).toMatchObject({
      kind: "bitRot",
      serial: 0,
      op: null,
      ranges: [{ offset: 1024, length: 512 }],
    });
    const wanted = new Uint8Array(2048);
    for (const { offset, bit } of record!.bits!) wanted[offset] = wanted[offset]! ^ (1 << bit);
    expect(record!.bits!.length).toBe(3);
    expect(read(layer, 0, 2048)).toEqual(wanted);
    expect(read(layer, 0, 2048)).toEqual(wanted);
    expect(memory.bytes).toEqual(new Uint8Array(SIZE));
    submit(layer, Op.write, 1024, bytesOf(512, 0));
    expect(read(layer, 0, 2048)).toEqual(new Uint8Array(2048));
  });

  test("what rots as it is written is wrong at the next read", () => {
    const { layer } = newLayers();
    layer.add({ op: Op.write, countMax: 1, corruption: { kind: "bitRot", bits: 1 } });
    submit(layer, Op.write, 512, bytesOf(512, 7));
    const { offset, bit } = layer.corruptions[0]!.bits![0]!;
    expect(read(layer, 0, SIZE)[offset]).toBe(7 ^ (1 << bit));
    expect(layer.corruptions).toMatchObject([{ serial: 0, op: "write" }]);
  });

  test("an evil read is wrong once", () => {
    const { layer } = newLayers();
    layer.add({ countMax: 1, corruption: { kind: "evilRead", bits: 2 } });
    const wanted = new Uint8Array(512);
    const found = read(layer, 512, 512);
    for (const { offset, bit } of layer.corruptions[0]!.bits!)
      wanted[offset - 512] = wanted[offset - 512]! ^ (1 << bit);
    expect(found).toEqual(wanted);
    expect(read(layer, 512, 512)).toEqual(new Uint8Array(512));
  });

  test("misdirected requests go by their distance, or the other way where the device ends", () => {
    const { layer, memory } = newLayers();
    layer.add({ op: Op.write, corruption: { kind: "misdirectedWrite", delta: 1024 } });
    submit(layer, Op.write, 512, bytesOf(512, 7));
    submit(layer, Op.write, SIZE - 512, bytesOf(512, 8));
    expect([512, 1536, SIZE - 512, SIZE - 1536].map((at) => memory.bytes[at])).toEqual([0, 7, 0, 8]);
    expect(layer.corruptions[0]!.ranges.map(({ offset }) => offset)).toEqual([512, 1536]);
    layer.add({ corruption: { kind: "misdirectedRead", delta: -512 } });
    expect(read(layer, 2048, 512)[0]).toBe(7);
    expect(layer.corruptions[2]).toMatchObject({ kind: "misdirectedRead", serial: 2 });
  });

  test("phantom writes and lost flushes are acknowledged and do not reach the disk", () => {
    const { layer, memory } = newLayers();
    layer.add({ corruption: { kind: "phantomWrite" } });
    layer.add({ corruption: { kind: "lostFlush" } });
    submit(layer, Op.write, 512, bytesOf(512, 7));
    submit(layer, Op.flush, 0, new Uint8Array(0));
    expect(memory.log).toEqual([]);
    expect(layer.corruptions.map(({ kind, ranges }) => [kind, ranges.length])).toEqual([
      ["phantomWrite", 1],
      ["lostFlush", 0],
    ]);
  });

  test.each(["prefix", "suffix", "random"] as const)(
    "a torn write keeps its %s, whole units of it",
    (keep) => {
      for (let seed = 1; seed <= 20; seed++) {
        const { layer, memory } = newLayers({ seed, atomicLength: 1024 });
        layer.add({ op: Op.write, corruption: { kind: "tornWrite", keep } });
        // Units: 512 bytes to the first bound, three whole ones.
        submit(layer, Op.write, 512, bytesOf(3584, 7));
        const [lost, ...others] = valuesOf(memory.bytes.subarray(512, 4096)).map((value) => value !== 7);
        expect([others[0] === others[1], others[2] === others[3], others[4] === others[5]]).toEqual([
          true,
          true,
          true,
        ]);
        const units = [lost, others[0], others[2], others[4]];
        const ranges = layer.corruptions[0]!.ranges;
        expect(units.filter((isLost) => isLost).length).toBe(ranges.length);
        expect(ranges.length).toBeGreaterThan(0);
        for (const { offset } of ranges) expect(memory.bytes[offset]).toBe(0);
        if (keep !== "random") {
          const sorted = keep === "prefix" ? units : units.toReversed();
          expect(sorted).toEqual(sorted.toSorted((a, b) => Number(a) - Number(b)));
          expect(ranges.length).toBeLessThan(4);
        }
      }
    },
  );

  test("a write of one unit is not torn", () => {
    const { layer } = newLayers();
    layer.add({ corruption: { kind: "tornWrite", keep: "prefix" } });
    submit(layer, Op.write, 512, bytesOf(512, 7));
    expect(layer.corruptionCount).toBe(0);
    expect(read(layer, 512, 512)[0]).toBe(7);
  });

  test("a stale read shows what was there before, as far as that is remembered", () => {
    const { layer } = newLayers({ memoryMax: 1024 });
    submit(layer, Op.write, 0, bytesOf(2048, 1));
    layer.add({ corruption: { kind: "staleRead" } });
    expect(valuesOf(read(layer, 0, 2048))).toEqual([1, 1, 1, 1]);
    submit(layer, Op.write, 512, bytesOf(1536, 2));
    expect(valuesOf(read(layer, 0, 2048))).toEqual([1, 2, 1, 1]);
    expect(layer.corruptions).toMatchObject([
      { kind: "staleRead", serial: 3, ranges: [{ offset: 1024 }, { offset: 1536 }] },
    ]);
  });

  test("who asks where zeroes lie is not told of holes that are read as something else", () => {
    const { layer } = newLayers();
    expect(layer.runs(0, SIZE)).toMatchObject([{ content: "asBelow" }]);
    layer.rot(0, 512);
    expect(layer.runs(0, SIZE)).toMatchObject([{ content: "data" }]);
  });

  test("the same seed makes the same mistakes, another one others", () => {
    const kinds: Corruption[] = [
      { kind: "bitRot", bits: 2 },
      { kind: "evilRead", bits: 1 },
      { kind: "tornWrite", keep: "random" },
      { kind: "misdirectedWrite", delta: 512 },
    ];
    const recordsOf = (seed: number): unknown => {
      const { layer } = newLayers({ seed });
      for (const corruption of kinds) layer.add({ probability: 0.3, corruption });
      const random = new Random(9);
      for (let count = 0; count < 60; count++) {
        const offset = 512 * random.below(8);
        if (random.chance(0.5)) read(layer, offset, 2048);
        else submit(layer, Op.write, offset, bytesOf(2048, random.below(256)));
      }
      expect(layer.corruptions.length).toBe(layer.corruptionCount);
      expect(layer.corruptionCount).toBeGreaterThan(10);
      return layer.corruptions;
    };
    expect(recordsOf(5)).toEqual(recordsOf(5));
    expect(recordsOf(5)).not.toEqual(recordsOf(6));
  });

  test("with chance at every request, every wrong byte of a read lies where a record says", () => {
    for (let seed = 1; seed <= 15; seed++) {
      const { layer } = newLayers({ seed });
      const kinds: Corruption[] = [
        { kind: "bitRot", bits: 2 },
        { kind: "evilRead", bits: 1 },
        { kind: "tornWrite", keep: "suffix" },
        { kind: "phantomWrite" },
        { kind: "staleRead" },
        { kind: "misdirectedRead", delta: 1024 },
        { kind: "misdirectedWrite", delta: 2048 },
      ];
      for (const corruption of kinds) layer.add({ probability: 0.05, corruption });
      const random = new Random(seed);
      const model = new Uint8Array(SIZE);
      let wrongCount = 0;
      for (let count = 0; count < 60; count++) {
        const offset = 512 * random.below(8);
        if (random.chance(0.4)) {
          const data = random.bytes(2048);
          model.set(data, offset);
          submit(layer, Op.write, offset, data);
          continue;
        }
        const found = read(layer, offset, 2048);
        const named = layer.corruptions.flatMap(({ ranges }) => ranges);
        found.forEach((byte, index) => {
          const at = offset + index;
          if (byte === model[at]) return;
          wrongCount++;
          if (!named.some((range) => at >= range.offset && at < range.offset + range.length))
            expect.fail(`seed ${seed}: byte ${at} is wrong, and no record names it`);
        });
      }
      expect(wrongCount, `seed ${seed}`).toBeGreaterThan(0);
    }
  });
});

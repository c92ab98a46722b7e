import { BufferPool, Device, environmentFrom } from "@cev/core";
import { MemoryLayer, Random } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { SwapLayer, byteSwapDriver, byteSwapOptions } from "../src/index.ts";
import type { WordLength } from "../src/index.ts";
import { swapByByte, swapBytes } from "../src/byteswap/swap.ts";

const environment = environmentFrom(globalThis);

describe("bytes of words", () => {
  test.each([2, 4, 8] as const)("of %i bytes are turned round as they are one by one", (wordLength) => {
    const random = new Random(wordLength);
    for (let round = 0; round < 200; round++) {
      const length = wordLength * random.between(0, 40);
      const [from, to] = [random.below(9), random.below(9)];
      const source = random.bytes(length + 16);
      const [fast, slow] = [new Uint8Array(length + 16), new Uint8Array(length + 16)];
      swapBytes(source, from, fast, to, length, wordLength);
      swapByByte(source, from, slow, to, length, wordLength);
      expect(fast).toEqual(slow);
      const words = [...source.subarray(from, from + wordLength)];
      if (length > 0) expect([...fast.subarray(to, to + wordLength)]).toEqual(words.toReversed());
      swapBytes(fast, to, fast, to, length, wordLength);
      expect(fast.subarray(to, to + length)).toEqual(source.subarray(from, from + length));
    }
  });
});

describe("a byte-swapped device", () => {
  const lower = () =>
    new MemoryLayer(environment, {
      size: 1024,
      contents: Uint8Array.from({ length: 1024 }, (_, at) => at),
    });
  const layerOver = (disk: MemoryLayer, wordLength: WordLength = 4) =>
    new SwapLayer(disk, { wordLength, environment });

  test("takes requests as long as its memory can be, and longer ones cut", async () => {
    const small = environmentFrom(globalThis, { buffers: new BufferPool({ slabLength: 262_144 }) });
    const disk = new MemoryLayer(small, { size: 524_288 });
    const data = new Random(5).bytes(524_288);
    const layer = new SwapLayer(disk, { wordLength: 2, environment: small });
    await using device = await Device.open(layer, small);
    await device.write(0, data);
    expect(await device.read(0, data.length)).toEqual(data);
    expect(layer.limits.ioLengthMax).toBe(small.buffers.bufferLengthMax);
  });

  test("S2 shows every word with its bytes turned round, and writes it so", async () => {
    const disk = lower();
    await using device = await Device.open(layerOver(disk), environment);
    expect([...(await device.read(0, 8))]).toEqual([3, 2, 1, 0, 7, 6, 5, 4]);
    await device.write(512, Uint8Array.of(1, 2, 3, 4));
    expect([...disk.bytes.subarray(512, 516)]).toEqual([4, 3, 2, 1]);
    await device.writeZeroes(512, 512);
    expect(disk.bytes.subarray(512).every((byte) => byte === 0)).toBe(true);
  });

  test("is opened again from its description", async () => {
    const disk = lower();
    const description = layerOver(disk, 2).describe();
    const checked = await byteSwapOptions["~standard"].validate(description.options);
    if (checked.issues !== undefined) throw new Error("the options were refused");
    const [opened] = await byteSwapDriver.open({
      environment,
      options: checked.value,
      lowers: [{ name: "d0", layer: disk }],
      keySource: { keys: [] },
      isReadOnly: false,
      canWriteDegraded: false,
      directory: ".",
      report: () => undefined,
    });
    expect(opened!.layer.describe()).toEqual(description);
    expect(opened).toMatchObject({ state: "active", details: { wordLength: 2 } });
  });

  test("refuses blocks shorter than a word", () => {
    const disk = new MemoryLayer(environment, { size: 64, blockSize: 4 });
    expect(() => layerOver(disk, 8)).toThrow(expect.objectContaining({ code: "CEV_INVALID" }));
  });

  test.each([[{}], [{ wordLength: 3 }], [{ wordLength: 4, order: "big" }], [[]], ["4"]])(
    "does not take the options %j",
    (options) => {
      expect(byteSwapOptions["~standard"].validate(options)).toHaveProperty("issues");
    },
  );
});

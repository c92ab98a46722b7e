import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Io, Op, environmentFrom } from "@cev/core";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { findCachedReader } from "../src/cached-reader.ts";
import type { CachedReader } from "../src/cached-reader.ts";
import { FileLayer, inspectFile } from "../src/index.ts";

const SIZE = 1 << 20;
const environment = environmentFrom(globalThis);
const contents = new Uint8Array(SIZE).map((_, index) => (index >> 9) ^ index);
const folder = await mkdtemp(join(tmpdir(), "cev-cached-"));
const path = join(folder, "disk");
await writeFile(path, contents);
afterAll(() => rm(folder, { recursive: true }));
const isInMemory = (await inspectFile(path))?.isInMemory === true;
const found = findCachedReader();

/** Says each time what the test wants, and moves just so many bytes. */
class FakeReader implements CachedReader {
  readonly asked: { readonly offset: number; readonly length: number }[] = [];
  countOf: (length: number) => number = () => 0;

  read(_fd: number, data: Uint8Array, at: number, length: number, offset: number): number {
    this.asked.push({ offset, length });
    const count = this.countOf(length);
    data.set(contents.subarray(offset, offset + count), at);
    return count;
  }
}

async function openLayer(cached: CachedReader | null): Promise<FileLayer> {
  const layer = await FileLayer.at(environment, { path, readOnly: true }, { cached });
  await layer.open();
  onTestFinished(() => layer.close());
  return layer;
}

/** Reads to an odd place of a larger buffer. The `Io`, and what to wait for. */
function read(
  layer: FileLayer,
  offset: number,
  length: number,
): { readonly io: Io; readonly done: Promise<unknown>; readonly data: Uint8Array } {
  const buffer = new Uint8Array(length + 200);
  const io = new Io(environment.runQueue).prepare(Op.read, offset, length, buffer.subarray(64), 37);
  layer.submit(io);
  const done = new Promise<void>((resolve) => void io.wait(() => resolve(), null));
  return { io, done, data: buffer.subarray(101, 101 + length) };
}

test.skipIf(found === null || isInMemory)(
  "a short read of what lies in page cache is done when submit returns",
  async () => {
    const layer = await openLayer(found);
    for (const [offset, length] of [
      [0, 512],
      [4096, 4096],
      [SIZE - 65_536, 65_536],
    ] as const) {
      const { io, data } = read(layer, offset, length);
      expect(io.isUpToDate).toBe(true);
      expect(data).toEqual(contents.subarray(offset, offset + length));
    }
  },
);

test.skipIf(found === null)("what is not there is said not to be: no file, its end, no room for it", () => {
  const data = new Uint8Array(1024);
  expect(found!.read(-1, data, 0, 512, 0)).toBe(0);
  expect(found!.read(0, data, 600, 512, 0)).toBe(0);
  expect(data.every((byte) => byte === 0)).toBe(true);
});

test.skipIf(isInMemory)("what is not in the cache comes from the device, and all of it", async () => {
  const reader = new FakeReader();
  const layer = await openLayer(reader);
  const { io, done, data } = read(layer, 8192, 4096);
  expect(io.isUpToDate).toBe(false);
  await done;
  expect(data).toEqual(contents.subarray(8192, 12_288));
  expect(reader.asked).toEqual([{ offset: 8192, length: 4096 }]);
});

test.skipIf(isInMemory)(
  "of a read that is in the cache in part, the rest comes from the device",
  async () => {
    const reader = new FakeReader();
    const layer = await openLayer(reader);
    reader.countOf = (length) => (length === 4096 ? 1500 : 0);
    const { io, done, data } = read(layer, 4096, 4096);
    await done;
    expect(io.error).toBe(null);
    expect(data).toEqual(contents.subarray(4096, 8192));
  },
);

test.skipIf(isInMemory)("long reads are not copied while others wait", async () => {
  const reader = new FakeReader();
  const layer = await openLayer(reader);
  const { done, data } = read(layer, 0, 131_072);
  await done;
  expect(data).toEqual(contents.subarray(0, 131_072));
  expect(reader.asked).toEqual([]);
});

test.skipIf(isInMemory)(
  "a file that is not in the cache is asked for ever more rarely, and one that is each time",
  async () => {
    const reader = new FakeReader();
    const layer = await openLayer(reader);
    const readTimes = async (count: number): Promise<number> => {
      const before = reader.asked.length;
      for (let time = 0; time < count; time++) await read(layer, time * 512, 512).done;
      return reader.asked.length - before;
    };
    expect(await readTimes(300)).toBeLessThan(12);
    reader.countOf = (length) => length;
    await readTimes(64);
    expect(await readTimes(50)).toBe(50);
  },
);

import { mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Io, IoFlag, Op, environmentFrom } from "@cev/core";
import type { Clock } from "@cev/core";
import { expect, onTestFinished, test } from "vitest";
import { FileLayer, inspectFile, systemCalls } from "../src/index.ts";
import type { FileCalls } from "../src/index.ts";
import { promptCalls } from "../src/prompt-calls.ts";

const SIZE = 1 << 20;
const environment = environmentFrom(globalThis);

async function newDisk(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "cev-prompt-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, "disk"), new Uint8Array(SIZE));
  return join(folder, "disk");
}

/** A device on which each write that is not handed to a thread takes as long as the test says. */
class SlowDevice implements Clock {
  nowMs = 0;
  takesMs = 0;
  readonly ways: ("at once" | "thread")[] = [];
  readonly calls: FileCalls = promptCalls(
    {
      ...systemCalls,
      write: (_fd, _data, _at, length, _offset, ended) => this.#end("thread", length, ended),
    },
    this,
    (_fd, _data, _at, length) => {
      this.nowMs += this.takesMs;
      this.ways.push("at once");
      return length;
    },
  );

  now(): number {
    return this.nowMs;
  }

  after(): never {
    throw new Error("nothing waits here");
  }

  write(length = 4096): string {
    this.calls.write(3, new Uint8Array(length), 0, length, 0, () => undefined);
    return this.ways.at(-1)!;
  }

  #end(way: "thread", length: number, ended: (error: null, count: number) => void): void {
    this.ways.push(way);
    ended(null, length);
  }
}

test("a short write of a file opened so is done when submit returns, and one that is not, later", async () => {
  const path = await newDisk();
  const isInMemory = (await inspectFile(path))?.isInMemory === true;
  for (const writeAtOnce of [false, true]) {
    const layer = await FileLayer.at(environment, { path, writeAtOnce });
    await layer.open();
    const data = new Uint8Array(5000).fill(writeAtOnce ? 2 : 1);
    const io = new Io(environment.runQueue).prepare(Op.write, 8192, 4096, data, 37);
    layer.submit(io);
    expect(io.isUpToDate).toBe(writeAtOnce || isInMemory);
    await new Promise<void>((resolve) => void io.wait(() => resolve(), null));
    expect(io.error).toBe(null);
    expect(layer.describe().options).toEqual({ path, writeAtOnce });
    await layer.close();
    const written = await readFile(path);
    expect(new Uint8Array(written.subarray(8192, 12_288))).toEqual(data.subarray(37, 4133));
    expect(written.subarray(12_288).every((byte) => byte === 0)).toBe(true);
  }
});

test("a write with FUA is durable only after a sync, which does not hold up the program", async ({
  skip,
}) => {
  const path = await newDisk();
  if ((await inspectFile(path))?.isInMemory === true) return skip("memory needs no sync");
  const layer = await FileLayer.at(environment, { path, writeAtOnce: true });
  await layer.open();
  onTestFinished(() => layer.close());
  const io = new Io(environment.runQueue).prepare(Op.write, 0, 512, new Uint8Array(512), 0, IoFlag.fua);
  layer.submit(io);
  expect(io.isUpToDate).toBe(false);
  await new Promise<void>((resolve) => void io.wait(() => resolve(), null));
  expect(io.error).toBe(null);
});

test("long writes go to a thread", () => {
  const device = new SlowDevice();
  expect(device.write(65_536)).toBe("at once");
  expect(device.write(65_537)).toBe("thread");
});

test("after a write that took long, the next go to a thread for a hundred times as long", () => {
  const device = new SlowDevice();
  for (let time = 0; time < 10; time++) expect(device.write()).toBe("at once");
  device.takesMs = 0.9;
  expect(device.write()).toBe("at once");
  device.takesMs = 5;
  expect(device.write()).toBe("at once");
  const slowAt = device.nowMs;
  for (let time = 0; time < 10; time++) {
    expect(device.write()).toBe("thread");
    device.nowMs += 49;
  }
  device.nowMs = slowAt + 500;
  expect(device.write()).toBe("at once");
  expect(device.write()).toBe("thread");
});

test("an error of the system arrives as it does from a thread, and moves nothing", async () => {
  const path = await newDisk();
  const handle = await open(path, "r");
  const ends: unknown[] = [];
  const calls = promptCalls(systemCalls, environment.clock);
  calls.write(handle.fd, new Uint8Array(512), 0, 512, 0, (error, count) => ends.push(error?.code, count));
  await handle.close();
  expect(ends).toEqual(["EBADF", 0]);
});

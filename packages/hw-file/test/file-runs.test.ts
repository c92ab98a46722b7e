import { mkdtemp, open, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Device, environmentFrom } from "@cev/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FileLayer, findHoleFinder, inspectFile } from "../src/index.ts";
import type { FileLayerSettings, HoleFinder } from "../src/index.ts";
import { fileRuns } from "../src/file-runs.ts";
import { FakeCalls } from "./fake-calls.ts";

const MIB = 1024 * 1024;
const environment = environmentFrom(globalThis);
const finder = findHoleFinder();
let folder = "";
let canTellHoles = false;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cev-runs-"));
  await writeFile(join(folder, "probe"), "");
  canTellHoles = (await inspectFile(join(folder, "probe")))?.canTellHoles === true;
});
afterAll(() => rm(folder, { recursive: true }));

/** A file of 8 MiB with data in MiB 1 and in MiB 4 and 5. */
async function sparseFile(name: string): Promise<string> {
  const path = join(folder, name);
  const handle = await open(path, "w");
  await handle.truncate(8 * MIB);
  await handle.write(new Uint8Array(MIB).fill(1), 0, MIB, MIB);
  await handle.write(new Uint8Array(2 * MIB).fill(2), 0, 2 * MIB, 4 * MIB);
  await handle.close();
  return path;
}

async function openDevice(path: string, settings: FileLayerSettings = {}): Promise<Device> {
  return Device.open(await FileLayer.at(environment, { path }, settings), environment);
}

async function mapOf(device: Device, offset = 0, length = device.size - offset): Promise<string> {
  const extents = await device.extents(offset, length);
  return extents.map((one) => `${one.isHole && one.isZero ? "h" : "d"}${one.length / MIB}`).join(" ");
}

describe.skipIf(finder === null)("holes of files (need lseek through node:ffi, of Node 26 on Linux)", () => {
  test("holes are known, and what was written is data before it is on the disk", async ({ skip }) => {
    if (!canTellHoles) skip("the folder for temporary files is on a file system that is not asked");
    await using device = await openDevice(await sparseFile("sparse"));
    expect(await mapOf(device)).toBe("h1 d1 h2 d2 h2");
    expect(await mapOf(device, 1.5 * MIB, MIB)).toBe("d0.5 h0.5");
    await device.write(7 * MIB, new Uint8Array(MIB).fill(3));
    expect(await mapOf(device)).toBe("h1 d1 h2 d2 h1 d1");
    await device.discard(4 * MIB, MIB);
    expect(await mapOf(device)).toBe("h1 d1 h3 d1 h1 d1");
  });

  test("a file of many holes is mapped in parts", async ({ skip }) => {
    if (!canTellHoles) skip("the folder for temporary files is on a file system that is not asked");
    const path = join(folder, "many");
    const handle = await open(path, "w");
    for (let at = 0; at < 1000; at++) await handle.write(Buffer.alloc(4096, 1), 0, 4096, at * 16_384);
    await handle.truncate(1000 * 16_384);
    await handle.close();
    await using device = await openDevice(path);
    expect((await device.extents(0, device.size)).length).toBe(2000);
  });

  test("what was cut off behind our back is no hole: a read there fails", async ({ skip }) => {
    if (!canTellHoles) skip("the folder for temporary files is on a file system that is not asked");
    const path = await sparseFile("cut");
    await using device = await openDevice(path);
    await truncate(path, 3 * MIB);
    expect(await mapOf(device)).toBe("h1 d1 h1 d5");
  });

  test("with other system calls nothing is known", async () => {
    await using device = await openDevice(await sparseFile("fake"), { calls: new FakeCalls() });
    expect(await mapOf(device)).toBe("d8");
  });

  test("a closed file is data", async () => {
    const layer = await FileLayer.at(environment, { path: await sparseFile("closed") });
    expect(layer.runs(0, MIB, 1)).toMatchObject([{ content: "data", length: MIB }]);
  });
});

describe("without node:ffi", () => {
  test("a file that takes no room is one hole, until the first write", async ({ skip }) => {
    if (!canTellHoles) skip("the folder for temporary files is on a file system that is not asked");
    const path = join(folder, "bare");
    await writeFile(path, "");
    await truncate(path, 8 * MIB);
    await using device = await openDevice(path, { finder: null });
    expect(await mapOf(device)).toBe("h8");
    await device.write(5 * MIB, new Uint8Array(512).fill(1));
    expect(await mapOf(device)).toBe("d8");
  });

  test("any other file is data", async () => {
    await using device = await openDevice(await sparseFile("other"), { finder: null });
    expect(await mapOf(device)).toBe("d8");
  });
});

describe("answers that make no sense are data", () => {
  const range = { offset: 4096, length: 8192, countMax: 10 };
  const honest: HoleFinder = { nextData: () => -1, nextHole: () => -1, end: () => -1 };

  test.each<[string, Partial<HoleFinder>]>([
    ["no answer at all", {}],
    ["data before what was asked for", { nextData: () => 0, nextHole: () => 0 }],
    ["data that ends where it begins", { nextData: (_fd, at) => at, nextHole: (_fd, at) => at }],
    ["a hole in a file that is over", { nextHole: (_fd, at) => at, end: () => 4096 }],
    ["a hole in a file whose end nobody knows", { nextHole: (_fd, at) => at }],
    ["no data, and the next hole further on", { nextHole: () => 8192, end: () => 65_536 }],
  ])("%s", (_what, answers) => {
    const runs = fileRuns({ ...honest, ...answers }, 3, range);
    expect(runs).toEqual([{ length: 8192, content: "data", lower: null, lowerOffset: 0 }]);
  });

  test("and a question makes a bounded number of calls", () => {
    let calls = 0;
    const dotted: HoleFinder = {
      nextData: (_fd, at) => (calls++, at % 2 === 0 ? at : at + 1),
      nextHole: (_fd, at) => (calls++, at + 1),
      end: () => -1,
    };
    const runs = fileRuns(dotted, 3, { offset: 0, length: 100_000, countMax: 100_000 });
    expect(runs.length).toBeGreaterThan(50);
    expect(calls).toBeLessThanOrEqual(258);
  });
});

import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Io, IoFlag, Op, environmentFrom } from "@cev/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FileLayer, findHolePuncher } from "../src/index.ts";
import type { HolePuncher } from "../src/index.ts";
import { FakeCalls } from "./fake-calls.ts";

const MIB = 1024 * 1024;
const environment = environmentFrom(globalThis);
const holes = findHolePuncher();
let folder = "";
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "cev-holes-"))));
afterAll(() => rm(folder, { recursive: true }));

async function newLayer(puncher: HolePuncher | null, calls = new FakeCalls()): Promise<FileLayer> {
  const path = join(folder, "holes");
  await writeFile(path, new Uint8Array(4 * MIB).fill(1));
  const layer = await FileLayer.at(environment, { path }, { holes: puncher, calls });
  await layer.open();
  return layer;
}

function run(layer: FileLayer, op: Op, offset: number, length: number, flags = 0): Promise<Io> {
  const io = new Io(environment.runQueue).prepare(op, offset, length, null, 0, flags);
  const done = new Promise<Io>((resolve) => void io.wait(() => resolve(io), null));
  layer.submit(io);
  return done;
}

const bytesTaken = async (layer: FileLayer): Promise<number> => (await stat(layer.path)).blocks * 512;

describe.skipIf(holes === null)("holes (need fallocate through node:ffi, of Node 26 on Linux)", () => {
  test.each([Op.discard, Op.writeZeroes])("operation %i gives room back and leaves zeroes", async (op) => {
    const layer = await newLayer(holes);
    const before = await bytesTaken(layer);
    expect((await run(layer, op, MIB, 2 * MIB)).error).toBeNull();
    await layer.close();
    expect(await bytesTaken(layer)).toBe(before - 2 * MIB);
    const contents = await readFile(layer.path);
    expect(contents.length).toBe(4 * MIB);
    expect([MIB - 1, MIB, 3 * MIB - 1, 3 * MIB].map((at) => contents[at])).toEqual([1, 0, 0, 1]);
  });

  test("zeroes with noHole keep their room", async () => {
    const layer = await newLayer(holes);
    const before = await bytesTaken(layer);
    expect((await run(layer, Op.writeZeroes, MIB, 2 * MIB, IoFlag.noHole)).error).toBeNull();
    await layer.close();
    expect(await bytesTaken(layer)).toBeGreaterThanOrEqual(before);
    expect((await readFile(layer.path))[MIB]).toBe(0);
  });

  test("an experimental module is used without a word on standard error", () => {
    const program = `
      import { findHolePuncher } from "./src/index.ts";
      process.exitCode = findHolePuncher() === null ? 1 : 0;
    `;
    const { status, stderr } = spawnSync(
      process.execPath,
      ["--conditions=@cev/source", "--input-type=module", "--eval", program],
      { cwd: join(import.meta.dirname, ".."), encoding: "utf8" },
    );
    expect(stderr).toBe("");
    expect(status).toBe(0);
  });
});

describe("where the file system does not agree", () => {
  const refusing: HolePuncher = { punch: () => false, zero: () => false };

  test("zeroes are written, a discard does nothing, and fast zeroes are refused", async () => {
    const calls = new FakeCalls();
    const layer = await newLayer(refusing, calls);
    expect((await run(layer, Op.discard, 0, MIB)).error).toBeNull();
    expect((await run(layer, Op.writeZeroes, 0, MIB, IoFlag.fastZero)).error?.code).toBe("CEV_NOT_SUPPORTED");
    expect(calls.names).toEqual([]);
    expect(await run(layer, Op.writeZeroes, MIB, MIB)).toMatchObject({ error: null, transferred: MIB });
    await layer.close();
    expect(new Set(calls.names)).toEqual(new Set(["write"]));
    const contents = await readFile(layer.path);
    expect([0, MIB - 1, MIB, 2 * MIB - 1, 2 * MIB].map((at) => contents[at])).toEqual([1, 1, 0, 0, 1]);
  });

  test("it may stop agreeing half-way", async () => {
    let count = 0;
    const lengths: number[] = [];
    const puncher: HolePuncher = {
      punch: (_fd, _offset, length) => lengths.push(length) === 1 && count++ === 0,
      zero: () => false,
    };
    const path = join(folder, "large");
    const layer = await FileLayer.at(
      environment,
      { path, create: true, size: 66 * MIB },
      { holes: puncher, calls: new FakeCalls() },
    );
    await layer.open();
    expect(await run(layer, Op.writeZeroes, 0, 66 * MIB)).toMatchObject({
      error: null,
      transferred: 66 * MIB,
    });
    await layer.close();
    expect(lengths).toEqual([64 * MIB, 2 * MIB]);
  });

  test("zeroes with FUA are synced before they complete", async () => {
    const calls = new FakeCalls();
    const layer = await newLayer({ punch: () => true, zero: () => true }, calls);
    await run(layer, Op.writeZeroes, 0, MIB, IoFlag.fua);
    await run(layer, Op.discard, 0, MIB, IoFlag.fua);
    await layer.close();
    expect(calls.names).toEqual(["fdatasync", "fdatasync"]);
  });
});

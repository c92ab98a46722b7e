import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Io, IoFlag, Op, RunQueue, environmentFrom } from "@cev/core";
import { describe, expect, onTestFinished, test } from "vitest";
import { FileLayer } from "../src/index.ts";
import type { FileLayerSettings } from "../src/index.ts";
import { FakeCalls } from "./fake-calls.ts";

const environment = environmentFrom(globalThis);

/** A file, its calls, which are held, and what was reported. */
async function rig(
  settings: FileLayerSettings = {},
): Promise<{ layer: FileLayer; calls: FakeCalls; path: string; reported: () => string[]; queue: RunQueue }> {
  const folder = mkdtempSync(join(tmpdir(), "cev-file-twice-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "f");
  writeFileSync(path, new Uint8Array(65_536));
  const calls = new FakeCalls();
  calls.fateOf = () => "hold";
  const layer = await FileLayer.at(environment, { path }, { calls, holes: null, ...settings });
  await layer.open();
  onTestFinished(() => layer.close());
  const tasks: (() => void)[] = [];
  const reported = (): string[] =>
    tasks.splice(0).map((task) => {
      try {
        task();
        return "nothing";
      } catch (error) {
        return (error as Error).message;
      }
    });
  return { layer, calls, path, reported, queue: new RunQueue({ later: (task) => void tasks.push(task) }) };
}

const newIo = (queue: RunQueue, op: Op, offset: number, value: number, flags = 0): Io =>
  new Io(queue).prepare(op, offset, op === Op.flush ? 0 : 512, new Uint8Array(512).fill(value), 0, flags);

const ended = (io: Io): Promise<Io> => new Promise((resolve) => void io.wait(() => resolve(io), null));

/** What is held goes on, and what it brings. */
async function finish(calls: FakeCalls, io: Io): Promise<void> {
  calls.fateOf = () => "pass";
  calls.release();
  await ended(io);
}

describe("an Io that a layer above completes while the file has it is told as completed twice, and others are served", () => {
  test.each([
    ["a write under way", Op.write, 0, "write of 512 bytes at 512"],
    ["a durable write under way", Op.write, IoFlag.fua, "write of 512 bytes at 512"],
    ["a read under way", Op.read, 0, "read of 512 bytes at 512"],
    ["a flush under way", Op.flush, 0, "flush of 0 bytes at 512"],
  ])("%s", async (_what, op, flags, told) => {
    const { layer, calls, reported, queue, path } = await rig();
    const io = newIo(queue, op, 512, 1, flags);
    layer.submit(io);
    io.complete();
    expect(reported()).toEqual([
      `file: a request was completed twice: a layer above ended it while it was here (${told})`,
    ]);
    // Nothing of the first call, which is under way still, may end another request.
    const next = newIo(queue, op, 1024, 2);
    layer.submit(next);
    expect(next.state).toBe(1);
    await finish(calls, next);
    expect([next.error, next.transferred]).toEqual([null, next.length]);
    if (op === Op.write) expect(readFileSync(path)[1024]).toBe(2);
    expect(reported()).toEqual([]);
  });

  test("one that waits for a place, and one that waits for the next sync", async () => {
    for (const op of [Op.write, Op.flush] as const) {
      const { layer, calls, reported, queue } = await rig({ queueDepthMax: 1 });
      const ios = [1, 2, 3].map((value) => newIo(queue, op, value * 4096, value));
      for (const io of ios) layer.submit(io);
      ios[1]!.complete();
      expect(reported()).toHaveLength(1);
      await finish(calls, ios[2]!);
      expect(ios.map(({ error }) => error)).toEqual([null, null, null]);
      expect(calls.calls).toHaveLength(2);
    }
  });

  test("one of several that share a call", async () => {
    const { layer, calls, reported, queue, path } = await rig({ queueDepthMax: 1 });
    const first = newIo(queue, Op.write, 0, 9);
    const row = [1, 2, 3].map((value) => newIo(queue, Op.write, value * 512, value));
    for (const io of [first, ...row]) layer.submit(io);
    calls.fateOf = ({ name }) => (name === "writev" ? "hold" : "pass");
    calls.release();
    await ended(first);
    expect(calls.names).toEqual(["write", "writev"]);
    row[0]!.complete();
    expect(reported()).toHaveLength(1);
    await finish(calls, row[1]!);
    await ended(row[2]!);
    expect([...readFileSync(path)].filter((_, at) => at % 512 === 0).slice(0, 4)).toEqual([9, 1, 2, 3]);
  });

  test("one whose call is to be tried again, or fails", async () => {
    for (const errno of ["EAGAIN", "EIO"]) {
      const { layer, calls, reported, queue } = await rig({ queueDepthMax: 1 });
      calls.fateOf = () => ({ errno });
      const io = newIo(queue, Op.write, 0, 1);
      layer.submit(io);
      io.complete();
      expect(reported()).toHaveLength(1);
      calls.fateOf = () => "pass";
      const next = newIo(queue, Op.write, 512, 2);
      layer.submit(next);
      await ended(next);
      expect(next.error).toBeNull();
    }
  });

  test("a flush whose sync fails: the next one is told", async () => {
    const { layer, calls, reported, queue } = await rig();
    calls.fateOf = () => ({ errno: "EIO" });
    const io = newIo(queue, Op.flush, 0, 0);
    layer.submit(io);
    io.complete();
    expect(reported()).toHaveLength(1);
    const next = newIo(queue, Op.flush, 0, 0);
    layer.submit(next);
    await ended(next);
    expect(next.error?.message).toMatch(/could not be made durable/);
  });
});

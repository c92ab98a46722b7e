import { existsSync } from "node:fs";
import { mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Io, IoFlag, Op, environmentFrom } from "@cev/core";
import { expect, onTestFinished, test } from "vitest";
import { FileLayer, inspectFile } from "../src/index.ts";
import { memoryCalls } from "../src/memory-calls.ts";

const MEMORY = "/dev/shm";
const environment = environmentFrom(globalThis);

async function newFolder(place: string): Promise<string> {
  const folder = await mkdtemp(join(place, "cev-memory-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

test.skipIf(!existsSync(MEMORY))(
  "in a file system that is memory, short requests are done when submit returns, also in a file that was just made",
  async () => {
    const path = join(await newFolder(MEMORY), "disk");
    const layer = await FileLayer.at(environment, { path, create: true, size: 1 << 20 });
    await layer.open();
    const data = new Uint8Array(4096).fill(7);
    const write = new Io(environment.runQueue).prepare(Op.write, 8192, 4096, data, 0, IoFlag.fua);
    layer.submit(write);
    expect(write.isUpToDate).toBe(true);
    const back = new Uint8Array(4096);
    const read = new Io(environment.runQueue).prepare(Op.read, 8192, 4096, back);
    layer.submit(read);
    expect(read.isUpToDate).toBe(true);
    expect(back).toEqual(data);
    const flush = new Io(environment.runQueue).prepare(Op.flush, 0, 0);
    layer.submit(flush);
    expect(flush.isUpToDate).toBe(true);
    const long = new Io(environment.runQueue).prepare(Op.read, 0, 1 << 20, new Uint8Array(1 << 20));
    layer.submit(long);
    expect(long.isUpToDate).toBe(false);
    await new Promise<void>((resolve) => void long.wait(() => resolve(), null));
    expect(long.data.subarray(8192, 12_288)).toEqual(data);
    await layer.close();
    expect((await inspectFile(path))?.isInMemory).toBe(true);
    expect(new Uint8Array((await readFile(path)).subarray(8192, 12_288))).toEqual(data);
  },
);

test("an error of the system arrives as it does from a thread", async () => {
  const path = join(await newFolder(tmpdir()), "disk");
  await writeFile(path, new Uint8Array(512));
  const handle = await open(path, "r");
  const errors: (string | undefined)[] = [];
  const note = (error: NodeJS.ErrnoException | null): void => void errors.push(error?.code);
  memoryCalls.write(handle.fd, new Uint8Array(512), 0, 512, 0, note);
  await handle.close();
  memoryCalls.read(-1, new Uint8Array(512), 0, 512, 0, note);
  memoryCalls.fdatasync(-1, note);
  expect(errors[0]).toBe("EBADF");
  expect(errors).toHaveLength(3);
  expect(errors.every((code) => code !== undefined)).toBe(true);
});

test("requests that waited behind a long one all end, however many there are", async () => {
  const path = join(await newFolder(tmpdir()), "disk");
  await writeFile(path, new Uint8Array(1 << 20).fill(3));
  const layer = await FileLayer.at(environment, { path }, { calls: memoryCalls, queueDepthMax: 1 });
  await layer.open();
  const submit = (offset: number, length: number): Io => {
    const io = new Io(environment.runQueue).prepare(Op.read, offset, length, new Uint8Array(length));
    layer.submit(io);
    return io;
  };
  const long = submit(0, 1 << 20);
  // No two are neighbours: each is a call of its own.
  const short = Array.from({ length: 20_000 }, (_, index) => submit((index % 1000) * 1024, 512));
  expect(short.some(({ isUpToDate }) => isUpToDate)).toBe(false);
  await Promise.all(
    [long, ...short].map((io) => new Promise<void>((resolve) => void io.wait(() => resolve(), null))),
  );
  expect(short.every(({ error, data }) => error === null && data[511] === 3)).toBe(true);
  await layer.close();
});

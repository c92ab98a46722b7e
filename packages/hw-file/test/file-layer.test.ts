import { mkdtemp, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Device, Io, IoFlag, Op, environmentFrom } from "@cev/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FileLayer } from "../src/index.ts";
import type { FileLayerSettings, FileOptions } from "../src/index.ts";
import { FakeCalls } from "./fake-calls.ts";

const environment = environmentFrom(globalThis);
const bytesOf = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);
let folder = "";
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "cev-file-"))));
afterAll(() => rm(folder, { recursive: true }));

async function newFile(name: string, contents: Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, contents);
  return path;
}

async function openLayer(options: FileOptions, settings: FileLayerSettings = {}): Promise<FileLayer> {
  const layer = await FileLayer.at(environment, options, settings);
  await layer.open();
  return layer;
}

function submit(layer: FileLayer, op: Op, offset: number, data: Uint8Array, flags = 0): Io {
  const io = new Io(environment.runQueue).prepare(op, offset, data.length, data, 0, flags);
  layer.submit(io);
  return io;
}

const flushOn = (layer: FileLayer): Io => submit(layer, Op.flush, 0, new Uint8Array(0));
const ended = (io: Io): Promise<Io> => new Promise((resolve) => void io.wait(() => resolve(io), null));

describe("contents", () => {
  test("S7 what is written is in the file, and what is in the file is read", async () => {
    const path = await newFile("contents", bytesOf(4096, 1));
    const device = await Device.open(await FileLayer.at(environment, { path }), environment);
    await device.write(1000, bytesOf(100, 2));
    await device.flush();
    const expected = bytesOf(4096, 1).fill(2, 1000, 1100);
    expect(await device.read(0, 4096)).toEqual(expected);
    await device.close();
    expect(new Uint8Array(await readFile(path))).toEqual(expected);
  });

  test("a file that is no whole number of sectors is rounded down, and says by how much", async () => {
    const path = await newFile("rounded", bytesOf(1300, 1));
    const layer = await openLayer({ path });
    expect(layer.limits.size).toBe(1024);
    expect(layer.bytesIgnored).toBe(276);
    await layer.close();
  });

  test("create makes a sparse file of the size asked for, and opens it again as it is", async () => {
    const path = join(folder, "created");
    const options = { path, create: true, size: 10 * 1024 * 1024 };
    const layer = await openLayer(options);
    await ended(submit(layer, Op.write, 512, bytesOf(512, 5)));
    await layer.close();
    const { size, blocks } = await stat(path);
    expect(size).toBe(options.size);
    expect(blocks * 512).toBeLessThan(options.size);
    const again = await openLayer(options);
    const data = bytesOf(1024, 9);
    await ended(submit(again, Op.read, 0, data));
    expect(data).toEqual(Uint8Array.of(...bytesOf(512, 0), ...bytesOf(512, 5)));
    await again.close();
  });

  test("read-only writes not one byte, whatever is asked for", async () => {
    const path = await newFile("read-only", bytesOf(1024, 1));
    const before = await stat(path, { bigint: true });
    const calls = new FakeCalls();
    const layer = await openLayer({ path, readOnly: true }, { calls });
    const write = submit(layer, Op.write, 0, bytesOf(512, 2));
    expect(write.error?.code).toBe("CEV_READ_ONLY");
    expect(flushOn(layer).error?.code).toBe("CEV_NOT_SUPPORTED");
    const data = bytesOf(512, 0);
    await ended(submit(layer, Op.read, 0, data));
    await layer.close();
    expect(data).toEqual(bytesOf(512, 1));
    expect(calls.names).toEqual(["read"]);
    expect((await stat(path, { bigint: true })).mtimeNs).toBe(before.mtimeNs);
  });

  test.each([Op.discard, Op.writeZeroes, 9 as Op])(
    "operation %i is refused where holes cannot be punched",
    async (op) => {
      const layer = await openLayer({ path: await newFile("refused", bytesOf(512, 1)) }, { holes: null });
      expect(submit(layer, op, 0, bytesOf(512, 0)).error?.code).toBe("CEV_NOT_SUPPORTED");
      await layer.close();
    },
  );
});

describe("the system falls short", () => {
  test("short reads and writes go on where they stopped", async () => {
    const path = await newFile("short", bytesOf(2048, 1));
    const calls = new FakeCalls();
    calls.fateOf = ({ length }) => ({ shortTo: Math.ceil(length / 3) });
    const layer = await openLayer({ path }, { calls });
    const data = new Uint8Array(1024).map((_, index) => index);
    const write = await ended(submit(layer, Op.write, 512, data));
    expect(write).toMatchObject({ error: null, transferred: 1024 });
    const back = new Uint8Array(1024);
    await ended(submit(layer, Op.read, 512, back));
    expect(back).toEqual(data);
    expect(calls.names.filter((name) => name === "write").length).toBeGreaterThan(5);
    await layer.close();
  });

  test("a file that was cut short is CEV_IO with the byte where it ends", async () => {
    const path = await newFile("cut", bytesOf(4096, 1));
    const layer = await openLayer({ path });
    await truncate(path, 1500);
    const io = await ended(submit(layer, Op.read, 1024, bytesOf(1024, 0)));
    expect(io.error).toMatchObject({ code: "CEV_IO", place: { offset: 1024 } });
    expect(io.error?.message).toContain("1500");
    expect(io.transferred).toBe(476);
    await layer.close();
  });

  test("a write that moves nothing fails instead of trying for ever", async () => {
    const calls = new FakeCalls();
    calls.fateOf = () => ({ shortTo: 0 });
    const layer = await openLayer({ path: await newFile("stuck", bytesOf(512, 1)) }, { calls });
    const io = await ended(submit(layer, Op.write, 0, bytesOf(512, 2)));
    expect(io.error?.code).toBe("CEV_IO");
    await layer.close();
  });

  test.each(["EINTR", "EAGAIN"])("%s is tried again", async (errno) => {
    const calls = new FakeCalls();
    calls.fateOf = () => (calls.calls.length < 3 ? { errno } : "pass");
    const layer = await openLayer({ path: await newFile("again", bytesOf(512, 1)) }, { calls });
    const data = bytesOf(512, 0);
    const io = await ended(submit(layer, Op.read, 0, data));
    expect(io.error).toBeNull();
    expect(data).toEqual(bytesOf(512, 1));
    expect(calls.calls.length).toBe(3);
    await layer.close();
  });

  test.each([
    { errno: "EIO", op: Op.read, code: "CEV_MEDIUM" },
    { errno: "EIO", op: Op.write, code: "CEV_IO" },
    { errno: "ENODATA", op: Op.read, code: "CEV_MEDIUM" },
    { errno: "ENOSPC", op: Op.write, code: "CEV_NO_SPACE" },
    { errno: "EROFS", op: Op.write, code: "CEV_READ_ONLY" },
    { errno: "ENODEV", op: Op.read, code: "CEV_DEVICE_LOST" },
    { errno: "EACCES", op: Op.write, code: "CEV_ACCESS" },
    { errno: "ESOMETHING", op: Op.read, code: "CEV_IO" },
  ])("$errno of operation $op is $code, after the bytes that were moved", async ({ errno, op, code }) => {
    const calls = new FakeCalls();
    calls.fateOf = () => (calls.calls.length === 1 ? { shortTo: 100 } : { errno });
    const layer = await openLayer({ path: await newFile("errors", bytesOf(1024, 1)) }, { calls });
    const io = await ended(submit(layer, op, 0, bytesOf(512, 2)));
    expect(io.error).toMatchObject({ code, place: { layer: "file", offset: 0, length: 512 } });
    expect(io.transferred).toBe(100);
    await layer.close();
  });
});

describe("the queue", () => {
  test("neighbours that wait share a call, and each gets its own bytes", async () => {
    const path = await newFile(
      "gather",
      new Uint8Array(8192).map((_, index) => index >> 9),
    );
    const calls = new FakeCalls();
    const layer = await openLayer({ path }, { calls, queueDepthMax: 1 });
    const reads = Array.from({ length: 16 }, (_, index) =>
      submit(layer, Op.read, index * 512, bytesOf(512, 99)),
    );
    await Promise.all(reads.map(ended));
    reads.forEach((io, index) => expect(io.data).toEqual(bytesOf(512, index)));
    expect(calls.calls).toEqual([
      { name: "read", offset: 0, length: 512 },
      { name: "readv", offset: 512, length: 15 * 512 },
    ]);
    await layer.close();
  });

  test("of a shared call that falls short or fails, each request has its own outcome", async () => {
    const path = await newFile("gather-short", bytesOf(8192, 0));
    const calls = new FakeCalls();
    calls.fateOf = ({ name, offset }) => {
      if (name === "writev") return { shortTo: 700 };
      return offset === 3 * 512 ? { errno: "ENOSPC" } : "pass";
    };
    const layer = await openLayer({ path }, { calls, queueDepthMax: 1 });
    const writes = [1, 2, 3, 4, 5].map((value) =>
      submit(layer, Op.write, (value - 1) * 512, bytesOf(512, value)),
    );
    await Promise.all(writes.map(ended));
    expect(writes.map(({ error }) => error?.code)).toEqual([
      undefined,
      undefined,
      undefined,
      "CEV_NO_SPACE",
      undefined,
    ]);
    await layer.close();
    const contents = await readFile(path);
    expect([0, 512, 1023, 1024, 1536, 2048].map((at) => contents[at])).toEqual([1, 2, 2, 3, 0, 5]);
  });

  test("the file stays open until the last request has ended", async () => {
    const calls = new FakeCalls();
    calls.fateOf = () => "hold";
    const path = await newFile("left-behind", new Uint8Array(2048));
    const layer = await openLayer({ path }, { calls, queueDepthMax: 1 });
    const left = [
      submit(layer, Op.write, 0, bytesOf(512, 1)),
      flushOn(layer),
      submit(layer, Op.write, 1024, bytesOf(512, 2)),
    ];
    const events: string[] = [];
    const closings = [layer.close(), layer.close()].map((closing) =>
      closing.then(() => events.push("closed")),
    );
    await new Promise((resolve) => setImmediate(resolve));
    for (const io of left) io.wait(() => events.push("ended"), null);
    calls.fateOf = () => "pass";
    calls.release();
    await Promise.all(closings);
    expect(events).toEqual(["ended", "ended", "ended", "closed", "closed"]);
    expect(left.map(({ error }) => error)).toEqual([null, null, null]);
    const contents = await readFile(path);
    expect([0, 1024].map((at) => contents[at])).toEqual([1, 2]);
  });

  test("a request that waits is cancelled at once; one that the system has is not", async () => {
    const calls = new FakeCalls();
    calls.fateOf = () => "hold";
    const path = await newFile("cancel", bytesOf(2048, 1));
    const layer = await openLayer({ path }, { calls, queueDepthMax: 1 });
    const [first, second, third] = [0, 1024, 512].map((at) => submit(layer, Op.write, at, bytesOf(512, 2)));
    first!.cancel();
    second!.cancel();
    expect(second!.error).toMatchObject({ code: "CEV_CANCELLED", place: { offset: 1024 } });
    expect(first!.error).toBeNull();
    calls.fateOf = () => "pass";
    calls.release();
    await Promise.all([first!, third!].map(ended));
    expect([first!.error, third!.error]).toEqual([null, null]);
    await layer.close();
    expect([0, 512, 1024].map((at) => (at === 1024 ? 1 : 2))).toEqual(
      await readFile(path).then((contents) => [0, 512, 1024].map((at) => contents[at])),
    );
  });

  test("10,000 requests at once all end, and no more calls are under way than allowed", async () => {
    const calls = new FakeCalls();
    const path = await newFile("many", bytesOf(1024 * 512, 3));
    const layer = await openLayer({ path }, { calls, queueDepthMax: 4 });
    let underWayMax = 0;
    calls.fateOf = () => {
      underWayMax = Math.max(underWayMax, calls.held.length + 1);
      setImmediate(() => calls.release());
      return "hold";
    };
    const reads = Array.from({ length: 10_000 }, (_, index) =>
      submit(layer, Op.read, ((index * 7) % 1024) * 512, bytesOf(512, 0)),
    );
    await Promise.all(reads.map(ended));
    expect(reads.every(({ error, data }) => error === null && data[511] === 3)).toBe(true);
    expect(underWayMax).toBe(4);
    await layer.close();
  });
});

describe("durability", () => {
  test("a flush begins its own sync even when one is running: that one may have missed a write", async () => {
    const calls = new FakeCalls();
    const layer = await openLayer({ path: await newFile("flush", bytesOf(512, 1)) }, { calls });
    calls.fateOf = () => "hold";
    const flushes = [flushOn(layer), flushOn(layer), flushOn(layer)];
    expect(calls.names).toEqual(["fdatasync"]);
    calls.release();
    await ended(flushes[0]!);
    expect(calls.names).toEqual(["fdatasync", "fdatasync"]);
    expect(flushes.map(({ isUpToDate }) => isUpToDate)).toEqual([true, false, false]);
    calls.release();
    await Promise.all(flushes.map(ended));
    expect(calls.names).toEqual(["fdatasync", "fdatasync"]);
    await layer.close();
  });

  test("a write with FUA is synced after it is written and before it completes", async () => {
    const calls = new FakeCalls();
    const layer = await openLayer({ path: await newFile("fua", bytesOf(512, 1)) }, { calls });
    calls.fateOf = ({ name }) => (name === "fdatasync" ? "hold" : "pass");
    const io = submit(layer, Op.write, 0, bytesOf(512, 2), IoFlag.fua);
    await expect.poll(() => calls.names, { timeout: 60_000 }).toEqual(["write", "fdatasync"]);
    expect(io.isUpToDate).toBe(false);
    calls.release();
    expect(await ended(io)).toMatchObject({ error: null, transferred: 512 });
    await layer.close();
  });

  test("after a sync that failed none succeeds until the file is opened again", async () => {
    const calls = new FakeCalls();
    const path = await newFile("lost", bytesOf(512, 1));
    const layer = await openLayer({ path }, { calls });
    calls.fateOf = () => (calls.calls.length === 1 ? { errno: "EIO" } : "pass");
    expect((await ended(flushOn(layer))).error?.code).toBe("CEV_IO");
    expect((await ended(flushOn(layer))).error?.code).toBe("CEV_IO");
    const fua = await ended(submit(layer, Op.write, 0, bytesOf(512, 2), IoFlag.fua));
    expect(fua.error?.code).toBe("CEV_IO");
    expect((await ended(submit(layer, Op.read, 0, bytesOf(512, 0)))).error).toBeNull();
    await layer.close();
    await layer.open();
    expect((await ended(flushOn(layer))).error).toBeNull();
    await layer.close();
  });

  test("a flush that waits for its sync is cancelled at once", async () => {
    const calls = new FakeCalls();
    const layer = await openLayer({ path: await newFile("flush-cancel", bytesOf(512, 1)) }, { calls });
    calls.fateOf = () => "hold";
    const [first, second] = [flushOn(layer), flushOn(layer)];
    second.cancel();
    first.cancel();
    expect(second.error?.code).toBe("CEV_CANCELLED");
    calls.release();
    expect((await ended(first)).error).toBeNull();
    expect(calls.names).toEqual(["fdatasync"]);
    await layer.close();
  });
});

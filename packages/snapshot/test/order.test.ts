import { BufferPool, CevError, Device, Io, IoFlag, Op, environmentFrom } from "@cev/core";
import type { OpenedDevice, Problem } from "@cev/core";
import { FaultLayer, MemoryLayer, Random } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { SnapshotLayer } from "../src/index.ts";
import { openSnapshots } from "./open-snapshots.ts";

const KIB = 1024;
const CHUNK = 4 * KIB;
const SIZE = 64 * KIB;

/** An origin and one snapshot over disks that the test controls. */
async function setUp(storeSize = 128 * KIB): Promise<{
  originDisk: MemoryLayer;
  storeDisk: MemoryLayer;
  storeFault: FaultLayer;
  origin: Device;
  snapshot: Device;
  opened: readonly OpenedDevice[];
  before: Uint8Array;
  problems: Problem[];
  submit: (device: Device, op: Op, offset: number, data: Uint8Array) => Io;
}> {
  const environment = environmentFrom(globalThis);
  const before = new Random(1).bytes(SIZE);
  const originDisk = new MemoryLayer(environment, { size: SIZE, contents: before });
  const storeDisk = new MemoryLayer(environment, { size: storeSize });
  const storeFault = new FaultLayer(storeDisk, environment);
  const problems: Problem[] = [];
  const opened = await openSnapshots({
    environment,
    origin: originDisk,
    stores: [storeFault],
    options: { snapshots: [{ name: "a", chunkSize: CHUNK }] },
    problems,
  });
  const origin = await Device.open(opened[0]!.layer, environment, { blockSize: 512 });
  const snapshot = await Device.open(opened[1]!.layer, environment, { blockSize: 512 });
  storeDisk.log.length = 0;
  originDisk.log.length = 0;
  const submit = (device: Device, op: Op, offset: number, data: Uint8Array): Io => {
    const io = new Io(environment.runQueue).prepare(op, offset, data.length, data);
    device.submit(io);
    return io;
  };
  return { originDisk, storeDisk, storeFault, origin, snapshot, opened, before, problems, submit };
}

const opsOf = (ios: readonly Io[]): Op[] => ios.map(({ op }) => op);
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

describe("a snapshot", () => {
  test("of whole chunks whose data came half-way nothing counts as done: none of it can be read back", async () => {
    const { snapshot, storeFault, submit, before } = await setUp();
    storeFault.add({ op: Op.write, fault: { kind: "half", code: "CEV_IO" }, countMax: 1 });
    const io = submit(snapshot, Op.write, CHUNK, new Uint8Array(2 * CHUNK).fill(7));
    await io.promise().catch(() => undefined);
    expect(io.error?.code).toBe("CEV_IO");
    expect(io.transferred).toBe(0);
    expect(await snapshot.read(CHUNK, 2 * CHUNK)).toEqual(before.slice(CHUNK, 3 * CHUNK));
  });

  test("S6: a snapshot keeps what its origin held, and can be written without touching it", async () => {
    const { origin, snapshot, before, originDisk } = await setUp();
    await origin.write(5120, new Uint8Array(9216).fill(1));
    await snapshot.write(512, new Uint8Array(512).fill(2));
    const shown = before.slice();
    shown.fill(2, 512, 1024);
    expect(await snapshot.read(0, SIZE)).toEqual(shown);
    expect(originDisk.bytes.subarray(0, 5120)).toEqual(before.subarray(0, 5120));
    expect(originDisk.bytes.subarray(5120, 14_336).every((byte) => byte === 1)).toBe(true);
  });

  test("its read that is under way at the origin keeps a write of the origin waiting", async () => {
    const { originDisk, origin, snapshot, before, submit } = await setUp();
    originDisk.completion = "byHand";
    const data = new Uint8Array(512);
    const read = submit(snapshot, Op.read, 0, data);
    const write = submit(origin, Op.write, 0, new Uint8Array(512).fill(9));
    // The snapshot's read, and the copy's; the write is not there before both are through.
    expect(opsOf(originDisk.pending)).toEqual([Op.read, Op.read]);
    originDisk.completeNext(1);
    expect(opsOf(originDisk.pending)).toEqual([Op.read]);
    // From now on the store has the chunk, and later reads take it from there.
    const later = submit(snapshot, Op.read, 0, new Uint8Array(512));
    expect(later.data).toEqual(before.subarray(0, 512));
    expect(opsOf(originDisk.pending)).toEqual([Op.read]);
    originDisk.completeNext();
    expect(read.isUpToDate).toBe(true);
    expect(data).toEqual(before.subarray(0, 512));
    expect(opsOf(originDisk.pending)).toEqual([Op.write]);
    originDisk.completeNext();
    expect(write.isUpToDate).toBe(true);
  });

  test("the origin is written after data, flush and exception are in the store, in this order", async () => {
    const { storeDisk, originDisk, submit, origin } = await setUp();
    storeDisk.completion = "byHand";
    const write = submit(origin, Op.write, 0, new Uint8Array(512).fill(9));
    const steps: Op[] = [];
    while (storeDisk.pending.length > 0) {
      expect(opsOf(originDisk.log.map((one) => one as unknown as Io))).toEqual([Op.read]);
      steps.push(storeDisk.pending[0]!.op);
      storeDisk.completeNext();
    }
    expect(steps).toEqual([Op.write, Op.flush, Op.write]);
    expect(originDisk.log.map(({ op }) => op)).toEqual([Op.read, Op.write]);
    expect(write.isUpToDate).toBe(true);
  });

  test("chunks are recorded in the order in which they take room, so that a power cut leaves no gap of room that is lost", async () => {
    const { originDisk, storeDisk, snapshot, submit } = await setUp();
    originDisk.completion = "byHand";
    // Its chunk waits for the origin.
    const first = submit(snapshot, Op.write, 0, new Uint8Array(512).fill(1));
    const second = submit(snapshot, Op.write, 3 * CHUNK, new Uint8Array(CHUNK).fill(2));
    expect(storeDisk.log.map(({ op, length }) => [op, length])).toEqual([[Op.write, CHUNK]]);
    expect(second.isUpToDate).toBe(false);
    originDisk.completeNext();
    expect(first.isUpToDate).toBe(true);
    expect(second.isUpToDate).toBe(true);
  });

  test("a chunk that cannot be had keeps no later one from being recorded", async () => {
    const { originDisk, storeDisk, snapshot, submit } = await setUp();
    originDisk.completion = "byHand";
    const first = submit(snapshot, Op.write, 0, new Uint8Array(512).fill(1));
    const second = submit(snapshot, Op.write, 3 * CHUNK, new Uint8Array(CHUNK).fill(2));
    originDisk.pending[0]!.complete(new CevError("CEV_IO", "a test"));
    expect(first.error?.code).toBe("CEV_IO");
    expect(second.isUpToDate).toBe(true);
    // What it had taken is there for the next one.
    const { offset: secondPlace } = storeDisk.log[0]!;
    submit(snapshot, Op.write, 6 * CHUNK, new Uint8Array(CHUNK).fill(3));
    const [last] = storeDisk.log.filter(({ op, length }) => op === Op.write && length === CHUNK).slice(-1);
    expect(last!.offset).toBe(secondPlace - CHUNK);
  });

  test("what is in the store already costs a write nothing more", async () => {
    const { storeDisk, originDisk, origin, snapshot } = await setUp();
    await origin.write(0, new Uint8Array(2 * CHUNK).fill(1));
    await snapshot.write(4 * CHUNK, new Uint8Array(CHUNK).fill(1));
    storeDisk.log.length = 0;
    originDisk.log.length = 0;
    await origin.write(512, new Uint8Array(CHUNK));
    await snapshot.write(4 * CHUNK + 512, new Uint8Array(512));
    expect(originDisk.log.map(({ op }) => op)).toEqual([Op.write]);
    expect(storeDisk.log.map(({ op }) => op)).toEqual([Op.write]);
  });

  test("whole chunks are written without a copy, neighbours in one request", async () => {
    const { storeDisk, originDisk, snapshot } = await setUp();
    await snapshot.write(CHUNK, new Uint8Array(4 * CHUNK).fill(1));
    expect(originDisk.log).toEqual([]);
    expect(storeDisk.log.map(({ op, length }) => [op, length])).toEqual([
      [Op.write, 4 * CHUNK],
      [Op.flush, 0],
      [Op.write, 512],
    ]);
  });

  test("many writes at once share flushes and exceptions", async () => {
    const { storeDisk, origin } = await setUp();
    storeDisk.completion = "later";
    await Promise.all(
      Array.from({ length: 16 }, (_, index) => origin.write(index * CHUNK, new Uint8Array(512))),
    );
    expect(storeDisk.log.filter(({ op }) => op === Op.flush).length).toBeLessThanOrEqual(2);
  });

  test("a write of the origin that is cancelled while its chunk is copied leaves both as they were", async () => {
    const { storeDisk, originDisk, origin, snapshot, before, submit } = await setUp();
    storeDisk.completion = "byHand";
    const write = submit(origin, Op.write, 0, new Uint8Array(512).fill(9));
    write.cancel();
    storeDisk.completeAll();
    expect(write.error?.code).toBe("CEV_CANCELLED");
    storeDisk.completion = "atOnce";
    expect(originDisk.bytes).toEqual(before);
    expect(await snapshot.read(0, SIZE)).toEqual(before);
  });

  test("a discard of the origin frees only what the snapshot has", async () => {
    const { originDisk, storeDisk, origin, snapshot, before } = await setUp();
    await origin.write(4 * CHUNK, new Uint8Array(2 * CHUNK));
    originDisk.log.length = 0;
    storeDisk.log.length = 0;
    await origin.discard(0, SIZE);
    expect(originDisk.log.map(({ op, offset, length }) => [op, offset, length])).toEqual([
      [Op.discard, 4 * CHUNK, 2 * CHUNK],
    ]);
    expect(storeDisk.log).toEqual([]);
    expect(await snapshot.read(0, SIZE)).toEqual(before);
  });

  test("a discard of the snapshot frees what its store has, and nothing else", async () => {
    const { originDisk, storeDisk, snapshot } = await setUp();
    await snapshot.write(2 * CHUNK, new Uint8Array(CHUNK));
    originDisk.log.length = 0;
    storeDisk.log.length = 0;
    await snapshot.discard(0, SIZE);
    expect(originDisk.log).toEqual([]);
    expect(storeDisk.log.map(({ op, offset, length }) => [op, offset, length])).toEqual([
      [Op.discard, 2 * CHUNK, CHUNK],
    ]);
  });
});

describe("a store without room", () => {
  // Header, area, and three chunks of data.
  const STORE = 5 * CHUNK;

  test("makes the snapshot invalid in its header before the origin goes on", async () => {
    const { storeDisk, originDisk, origin, snapshot, problems, before, submit } = await setUp(STORE);
    await origin.write(0, new Uint8Array(3 * CHUNK));
    storeDisk.completion = "byHand";
    originDisk.log.length = 0;
    const write = submit(origin, Op.write, 5 * CHUNK, new Uint8Array(512).fill(7));
    expect(storeDisk.pending.map(({ op, offset, flags }) => [op, offset, flags])).toEqual([[Op.write, 0, 1]]);
    expect(originDisk.log).toEqual([]);
    expect(originDisk.bytes.subarray(5 * CHUNK)).toEqual(before.subarray(5 * CHUNK));
    storeDisk.completeNext();
    expect(write.isUpToDate).toBe(true);
    expect(Array.from(storeDisk.bytes.subarray(0, 16))).toEqual([
      0x53, 0x6e, 0x41, 0x70, 0, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0,
    ]);
    await expect(snapshot.read(0, 512)).rejects.toMatchObject({ code: "CEV_DEVICE_LOST" });
    await expect(snapshot.write(0, new Uint8Array(512))).rejects.toMatchObject({ code: "CEV_DEVICE_LOST" });
    expect(problems.map(({ code, device }) => [code, device])).toEqual([["CEV_DEVICE_LOST", "a"]]);
    // Nothing is kept for it any more.
    storeDisk.log.length = 0;
    await origin.write(8 * CHUNK, new Uint8Array(CHUNK));
    expect(storeDisk.log).toEqual([]);
  });

  test("fails the flush of a snapshot that lost what was written to it, and of no other", async () => {
    for (const hasWritten of [false, true]) {
      const { origin, snapshot } = await setUp(STORE);
      if (hasWritten) await snapshot.write(0, new Uint8Array(512));
      await origin.write(CHUNK, new Uint8Array(8 * CHUNK));
      await expect(snapshot.read(0, 512)).rejects.toMatchObject({ code: "CEV_DEVICE_LOST" });
      const closing = snapshot.close();
      await (hasWritten ? expect(closing).rejects.toMatchObject({ code: "CEV_DEVICE_LOST" }) : closing);
      await origin.close();
    }
  });

  test("refuses what is written to the snapshot, and leaves it whole", async () => {
    const { snapshot, before } = await setUp(STORE);
    await snapshot.write(0, new Uint8Array(3 * CHUNK).fill(4));
    await expect(snapshot.write(8 * CHUNK, new Uint8Array(CHUNK))).rejects.toMatchObject({
      code: "CEV_NO_SPACE",
    });
    await expect(snapshot.write(8 * CHUNK, new Uint8Array(512))).rejects.toMatchObject({
      code: "CEV_NO_SPACE",
    });
    before.fill(4, 0, 3 * CHUNK);
    expect(await snapshot.read(0, SIZE)).toEqual(before);
    await snapshot.write(CHUNK, new Uint8Array(512));
  });

  test("whose header cannot be written either keeps the origin from being overwritten", async () => {
    const { storeFault, originDisk, origin, before } = await setUp(STORE);
    await origin.write(0, new Uint8Array(3 * CHUNK).fill(1));
    storeFault.lose();
    await expect(origin.write(5 * CHUNK, new Uint8Array(512))).rejects.toMatchObject({
      code: "CEV_DEVICE_LOST",
    });
    expect(originDisk.bytes.subarray(3 * CHUNK)).toEqual(before.subarray(3 * CHUNK));
    // What it has already is no hindrance while the snapshot is still valid on the disk: the origin may hold anything there.
    storeFault.find();
    await origin.write(5 * CHUNK, new Uint8Array(512));
  });

  test("a store that fails while a chunk is copied to it costs the snapshot, not the write", async () => {
    const { storeFault, storeDisk, origin, problems } = await setUp();
    storeFault.failNth(1, "CEV_MEDIUM");
    await origin.write(0, new Uint8Array(512));
    expect(problems).toHaveLength(1);
    expect(storeDisk.bytes[4]).toBe(0);
  });
});

test("exceptions that failed to be recorded do not come to life later", async () => {
  const { storeFault, storeDisk, snapshot } = await setUp();
  // More than a sector of exceptions, written although the disk says that they were not.
  storeFault.add({
    fault: { kind: "errorAfter", code: "CEV_IO" },
    op: Op.write,
    offset: CHUNK,
    length: CHUNK,
    countMax: 1,
  });
  const environment = environmentFrom(globalThis);
  await expect(snapshot.write(0, new Uint8Array(SIZE).fill(1))).rejects.toMatchObject({ code: "CEV_IO" });
  await snapshot.write(0, new Uint8Array(CHUNK).fill(2));
  const opened = await openSnapshots({
    environment,
    origin: new MemoryLayer(environment, { size: SIZE }),
    stores: [new MemoryLayer(environment, { size: storeDisk.bytes.length, contents: storeDisk.bytes })],
    isReadOnly: true,
  });
  expect(opened[1]!.details).toMatchObject({ chunks: 1 });
});

test("a snapshot says how full its store is while it is in use", async () => {
  const { snapshot, opened } = await setUp();
  const { layer } = opened[1]!;
  if (!(layer instanceof SnapshotLayer)) throw new Error("not a snapshot");
  await snapshot.write(0, new Uint8Array(3 * CHUNK));
  expect(layer.snapshot.usage).toEqual({ allocated: 5 * CHUNK, total: 128 * KIB, metadata: 2 * CHUNK });
  await turn();
});

test("zeroes that are refused for not being fast take no room in the store", async () => {
  const { storeFault, opened, snapshot } = await setUp();
  storeFault.add({
    fault: { kind: "error", code: "CEV_NOT_SUPPORTED" },
    op: Op.writeZeroes,
    accepts: ({ flags }) => (flags & IoFlag.fastZero) !== 0,
  });
  const { layer } = opened[1]!;
  if (!(layer instanceof SnapshotLayer)) throw new Error("the second device is the snapshot");
  await snapshot.write(0, new Uint8Array(CHUNK));
  const { allocated } = layer.snapshot.usage;
  const environment = environmentFrom(globalThis);
  for (let count = 0; count < 10; count++) {
    const io = new Io(environment.runQueue).prepare(Op.writeZeroes, 0, SIZE, null, 0, IoFlag.fastZero);
    const ended = io.promise();
    snapshot.submit(io);
    await expect(ended).rejects.toMatchObject({ code: "CEV_NOT_SUPPORTED" });
  }
  expect(layer.snapshot.usage.allocated).toBe(allocated);
});

test("chunks are copied one by one where a buffer takes no more", async () => {
  const buffers = new BufferPool({ slabLength: 128 * KIB });
  const environment = environmentFrom(globalThis, { buffers });
  const before = new Random(1).bytes(512 * KIB);
  const opened = await openSnapshots({
    environment,
    origin: new MemoryLayer(environment, { size: 512 * KIB, contents: before }),
    stores: [new MemoryLayer(environment, { size: 1024 * KIB })],
    options: { snapshots: [{ name: "a", chunkSize: buffers.bufferLengthMax }] },
  });
  const origin = await Device.open(opened[0]!.layer, environment);
  const snapshot = await Device.open(opened[1]!.layer, environment);
  await origin.write(0, new Uint8Array(512 * KIB));
  expect(await snapshot.read(0, 512 * KIB)).toEqual(before);
});

import { Device, Op, environmentFrom } from "@cev/core";
import { FaultLayer, MemoryLayer, Random } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { CompressLayer, compressDriver, formatCompressed } from "../src/index.ts";

const KIB = 1024;
const CHUNK = 4 * KIB;
const environment = environmentFrom(globalThis);

/** A compressed device over a disk in memory, whose requests may be kept back. */
async function compressed(size: number, shown?: number) {
  const memory = new MemoryLayer(environment, { size, completion: "later" });
  const faults = new FaultLayer(memory, environment);
  const superblock = await formatCompressed(memory, environment, {
    chunkSize: CHUNK,
    journalLength: 32 * KIB,
    ...(shown !== undefined && { size: shown }),
  });
  const layer = new CompressLayer(faults, { superblock, environment, discards: true });
  return { memory, faults, superblock, device: await Device.open(layer, environment) };
}

/** Lets everything happen that does not wait for time. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await new Promise<void>((resolve) => environment.later(resolve));
}

const isGone = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0xdd);

describe("room that is free", () => {
  test("is not discarded by a layer that was not told to", async () => {
    const { faults, superblock, device } = await compressed(512 * KIB);
    await device.close();
    const again = await Device.open(new CompressLayer(faults, { superblock, environment }), environment);
    await again.write(0, new Random(1).bytes(4 * CHUNK));
    await again.flush();
    faults.add({ op: Op.discard, fault: { kind: "hang" } });
    await again.discard(0, 4 * CHUNK);
    await again.close();
    expect(faults.faultCount).toBe(0);
  });

  test("is discarded below, bin by bin, once the commit that frees it is durable, and not before", async () => {
    const { memory, superblock, device } = await compressed(512 * KIB);
    const { dataOffset } = superblock;
    // Bins are filled from the first one on: chunks that cannot be compressed take one each.
    await device.write(0, new Random(1).bytes(4 * CHUNK));
    await device.flush();
    await device.discard(CHUNK, 2 * CHUNK);
    await settled();
    const binsGone = (): number[] =>
      Array.from({ length: 8 }, (_, bin) => bin).filter((bin) =>
        isGone(memory.bytes.subarray(dataOffset + bin * CHUNK, dataOffset + (bin + 1) * CHUNK)),
      );
    expect(binsGone()).toEqual([]);
    await device.flush();
    await settled();
    expect(binsGone()).toEqual([1, 2]);
    expect(await device.read(0, CHUNK)).toEqual(new Random(1).bytes(4 * CHUNK).subarray(0, CHUNK));
    await device.close();
  });

  test("that is freed by the last commit is discarded when the device is closed", async () => {
    const { memory, superblock, device } = await compressed(512 * KIB);
    await device.write(0, new Random(1).bytes(CHUNK));
    await device.flush();
    await device.discard(0, CHUNK);
    await device.close();
    expect(isGone(memory.bytes.subarray(superblock.dataOffset, superblock.dataOffset + CHUNK))).toBe(true);
  });

  test("is not written to while it is being discarded, and is used again afterwards", async () => {
    const { faults, device } = await compressed(256 * KIB);
    const random = new Random(2);
    const contents = random.bytes(device.size);
    await device.write(0, contents);
    await device.flush();
    faults.add({ op: Op.discard, countMax: 1, fault: { kind: "hang" } });
    await device.discard(0, 8 * CHUNK);
    await device.flush();
    await settled();
    expect(faults.hangingCount).toBe(1);
    // All of it, while one bin is being discarded: it has to go elsewhere, or to wait.
    for (let at = 0; at < device.size; at += CHUNK) {
      const data = random.bytes(CHUNK);
      contents.set(data, at);
      await device.write(at, data);
    }
    faults.release();
    await device.flush();
    await settled();
    expect(Buffer.compare(await device.read(0, device.size), contents)).toBe(0);
    await device.close();
  });

  test("is not lost to a write that finds all other room taken", async () => {
    const { faults, device } = await compressed(256 * KIB, 512 * KIB);
    const random = new Random(3);
    let count = 0;
    while (
      await device.write(count * CHUNK, random.bytes(CHUNK)).then(
        () => true,
        () => false,
      )
    )
      count++;
    await device.flush();
    faults.add({ op: Op.discard, fault: { kind: "hang" } });
    await device.discard(0, CHUNK);
    await device.flush();
    await settled();
    expect(faults.hangingCount).toBe(1);
    const written = device.write(0, random.bytes(CHUNK));
    await settled();
    faults.reset();
    await written;
    await device.close();
  });

  test("stays free where the discard below fails", async () => {
    const { faults, device } = await compressed(256 * KIB);
    faults.add({ op: Op.discard, fault: { kind: "error", code: "CEV_IO" } });
    for (let round = 0; round < 4; round++) {
      await device.write(0, new Random(round).bytes(device.size));
      await device.flush();
      await device.discard(0, device.size);
      await device.flush();
      await settled();
    }
    expect(faults.faultCount).toBeGreaterThan(100);
    await device.close();
  });
});

test("a device that shows more than is sure to fit tells when nine tenths are in use, once, and again after it was emptied", async () => {
  const problems: string[] = [];
  const memory = new MemoryLayer(environment, { size: 512 * KIB });
  const context = {
    environment,
    options: { create: { chunkSize: CHUNK, size: 1024 * KIB } },
    lowers: [{ name: "d0", layer: memory }],
    keySource: { keys: [] },
    isReadOnly: false,
    canWriteDegraded: false,
    directory: ".",
    report: ({ code, device, message }: { code: string; device?: string; message: string }) =>
      problems.push(`${code} ${device}: ${message}`),
  };
  const [opened] = await compressDriver.open(context);
  const device = await Device.open(opened!.layer, environment);
  const room = Number(opened!.details["room"]);
  const fill = async (share: number): Promise<void> => {
    const length = Math.floor((room * share) / CHUNK) * CHUNK;
    await device.write(0, new Random(1).bytes(length));
    await device.flush();
  };
  await fill(0.85);
  expect(problems).toEqual([]);
  await fill(0.92);
  await fill(0.93);
  expect(problems).toEqual([
    "CEV_NO_SPACE d0: d0: nine tenths of the room for compressed chunks are in use; discard what is not needed",
  ]);
  await device.discard(0, device.size);
  await device.flush();
  await fill(0.5);
  await fill(0.92);
  expect(problems.length).toBe(2);
  await device.close();
  // What is full when it is opened is told, too.
  const [again] = await compressDriver.open({ ...context, options: {} });
  await (await Device.open(again!.layer, environment)).close();
  expect(problems.length).toBe(3);
});

test("a full device takes changes of many chunks at once as long as there is room for one more: what they replace is given back", async () => {
  const { device } = await compressed(512 * KIB, 1024 * KIB);
  const isFull = (error: unknown): boolean => (error as { code: string }).code === "CEV_NO_SPACE";
  const random = new Random(1);
  let count = 0;
  for (;;) {
    const isDone = await device.write(count * CHUNK, random.bytes(CHUNK)).then(
      () => true,
      (error: unknown) => !isFull(error) && Promise.reject(error as Error),
    );
    if (!isDone) break;
    count++;
  }
  expect(count).toBeGreaterThan(60);
  // Neither is there more room than for one, nor is a bin given back before a commit.
  await device.discard(0, CHUNK);
  await device.flush();
  const contents = Array.from({ length: 16 }, () => random.bytes(CHUNK));
  await Promise.all(contents.map((data, index) => device.write((index + 1) * CHUNK, data)));
  for (const [index, data] of contents.entries())
    expect(Buffer.compare(await device.read((index + 1) * CHUNK, CHUNK), data)).toBe(0);
  // With none at all each of them fails.
  await device.write(0, random.bytes(CHUNK));
  const results = await Promise.allSettled(
    contents.map((_, index) => device.write((count + index) * CHUNK, random.bytes(CHUNK))),
  );
  expect(results.every((result) => result.status === "rejected" && isFull(result.reason))).toBe(true);
  await device.close();
});

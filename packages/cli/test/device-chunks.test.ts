import { Device, Op, environmentFrom } from "@cev/core";
import { RamdiskLayer } from "@cev/hw-ramdisk";
import { describe, expect, test } from "vitest";
import { deviceChunks } from "../src/device-chunks.ts";

const MIB = 1 << 20;
const environment = environmentFrom(globalThis);
const { signal } = new AbortController();

/** A disk of so many chunks and a bit, of which some hold one byte, and the offsets it is read at, in MiB. */
async function open(used: readonly number[]): Promise<{
  device: Device;
  disk: RamdiskLayer;
  bytes: Uint8Array;
  readAt: number[];
}> {
  const size = 8 * MIB + 512;
  const disk = new RamdiskLayer(environment, { size });
  const bytes = new Uint8Array(size);
  for (const at of used) bytes[at] = 7;
  await using writer = await Device.open(disk, environment);
  for (const at of used) await writer.write(at, Uint8Array.of(7));
  await writer.close();
  const readAt: number[] = [];
  const submit = disk.submit.bind(disk);
  disk.submit = (io) => {
    if (io.op === Op.read) readAt.push(io.offset / MIB);
    submit(io);
  };
  return { device: await Device.open(disk, environment, { isReadOnly: true }), disk, bytes, readAt };
}

async function contentsOf(device: Device): Promise<{ bytes: Uint8Array; zeroes: number[] }> {
  const bytes = new Uint8Array(device.size).fill(0xee);
  const zeroes: number[] = [];
  let next = 0;
  for await (const { offset, length, data } of deviceChunks(device, signal)) {
    expect(offset).toBe(next);
    expect(data?.length ?? length).toBe(length);
    next += length;
    if (data === null) zeroes.push(offset / MIB);
    bytes.set(data ?? new Uint8Array(length), offset);
  }
  expect(next).toBe(device.size);
  return { bytes, zeroes };
}

describe("the chunks of a device", () => {
  test("are all of it, and what is known to be zeroes is not read", async () => {
    const { device, bytes: expected, readAt } = await open([MIB + 5, 2 * MIB - 1, 5 * MIB, 8 * MIB + 511]);
    const { bytes, zeroes } = await contentsOf(device);
    expect(Buffer.compare(bytes, expected)).toBe(0);
    expect(zeroes).toEqual([0, 2, 3, 4, 6, 7]);
    expect(readAt).toEqual([1, 5, 8]);
  });

  test("are read where nobody knows anything", async () => {
    const { device, disk, bytes: expected } = await open([5]);
    Object.defineProperty(disk, "runs", { value: undefined });
    const { bytes, zeroes } = await contentsOf(device);
    expect(Buffer.compare(bytes, expected)).toBe(0);
    expect(zeroes).toEqual([]);
  });

  test("are read where the question fails", async () => {
    const { device, bytes: expected } = await open([5]);
    Object.defineProperty(device, "extents", { value: () => Promise.reject(new Error("broken")) });
    const { bytes, zeroes } = await contentsOf(device);
    expect(Buffer.compare(bytes, expected)).toBe(0);
    expect(zeroes).toEqual([]);
  });

  test("end with the first read that fails", async () => {
    const { device } = await open([]);
    Object.defineProperty(device, "knowsExtents", { value: false });
    Object.defineProperty(device, "read", {
      value: (offset: number) =>
        offset === 3 * MIB ? Promise.reject(new Error("bad spot")) : Promise.resolve(new Uint8Array(MIB)),
    });
    await expect(contentsOf(device)).rejects.toThrow("bad spot");
  });
});

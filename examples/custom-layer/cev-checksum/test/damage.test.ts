import { deepEqual, equal, rejects } from "node:assert/strict";
import { test } from "node:test";
import { Device, Op, environmentFrom, formatError, isCevError } from "@cev/core";
import { CorruptionLayer, MemoryLayer } from "@cev/test-kit";
import type { Corruption } from "@cev/test-kit";
import { ChecksumLayer, decodeHeader, encodeHeader, findHeader, planHeader } from "../src/index.ts";

const environment = environmentFrom(globalThis);
const SIZE = 65_536;
const header = planHeader(SIZE, 512)!;
const { dataOffset } = header;

/** A device over a disk that can be made to go wrong, with every block written and flushed. */
async function filledDevice(): Promise<{ disk: MemoryLayer; corruption: CorruptionLayer; device: Device }> {
  const disk = new MemoryLayer(environment, { size: SIZE });
  const corruption = new CorruptionLayer(disk);
  const layer = new ChecksumLayer(corruption, { environment, header, isNew: true });
  const device = await Device.open(layer, environment);
  await device.write(0, new Uint8Array(device.size).fill(1));
  await device.flush();
  return { disk, corruption, device };
}

const hasCode =
  (code: string) =>
  (error: unknown): boolean =>
    isCevError(error) && error.code === code;

await test("a bit that rotted fails the read of its block, and of no other", async () => {
  const { corruption, device } = await filledDevice();
  corruption.rot(dataOffset + 5 * 512, 512);
  await rejects(device.read(5 * 512, 512), hasCode("CEV_MEDIUM"));
  await rejects(device.read(0, SIZE / 2), hasCode("CEV_MEDIUM"));
  deepEqual(await device.read(4 * 512, 512), new Uint8Array(512).fill(1));
  deepEqual(await device.read(6 * 512, 512), new Uint8Array(512).fill(1));
});

await test("a damaged block is good again once it has been written", async () => {
  const { corruption, device } = await filledDevice();
  corruption.rot(dataOffset + 5 * 512, 512);
  await device.write(5 * 512, new Uint8Array(512).fill(2));
  deepEqual(await device.read(5 * 512, 512), new Uint8Array(512).fill(2));
});

await test("what is wrong only once is read again, and nobody hears of it", async () => {
  const { corruption, device } = await filledDevice();
  corruption.add({ op: Op.read, countMax: 1, corruption: { kind: "evilRead", bits: 3 } });
  deepEqual(await device.read(0, 4096), new Uint8Array(4096).fill(1));
  equal(corruption.corruptionCount, 1);
});

for (const kind of ["phantomWrite", "misdirectedWrite", "tornWrite"] as const) {
  await test(`a ${kind} is noticed by the next read`, async () => {
    const { corruption, device } = await filledDevice();
    const how: Record<typeof kind, Corruption> = {
      phantomWrite: { kind: "phantomWrite" },
      misdirectedWrite: { kind: "misdirectedWrite", delta: 8192 },
      tornWrite: { kind: "tornWrite", keep: "prefix" },
    };
    corruption.add({ op: Op.write, offset: dataOffset, length: SIZE, countMax: 1, corruption: how[kind] });
    await device.write(4096, new Uint8Array(4096).fill(2));
    await rejects(device.read(4096, 4096), hasCode("CEV_MEDIUM"));
  });
}

await test("zeroes that nobody wrote are not passed on as a hole", async () => {
  const { disk, device } = await filledDevice();
  disk.bytes.fill(0, dataOffset, dataOffset + 8192);
  await device.writeZeroes(4096, 512);
  const isZero = async (offset: number): Promise<boolean> =>
    (await device.extents(offset, 512)).every((extent) => extent.isZero);
  equal(await isZero(0), false);
  equal(await isZero(4096), true);
});

await test("a header or sums that are damaged are refused, with the byte where they lie", async () => {
  for (const [at, structure] of [
    [9, "checksum header"],
    [13, "checksum header"],
    [33, "checksum header"],
    [512, "checksum sums"],
    [1024 + 100, "checksum sums"],
  ] as const) {
    const { disk, device } = await filledDevice();
    await device.close();
    disk.bytes[at]! ^= 4;
    const open = async (): Promise<Device> => {
      const found = await findHeader(disk, environment);
      if (typeof found === "string") throw new Error(found);
      return await Device.open(new ChecksumLayer(disk, { environment, header: found }), environment);
    };
    await rejects(open(), (error) => {
      const place = isCevError(error) ? error.place : {};
      equal(place.structure, structure, formatError(error));
      return typeof place.byteOffset === "number" && Math.abs(place.byteOffset - at) <= 512;
    });
  }
});

await test("a header says what was planned", () => {
  deepEqual(decodeHeader(encodeHeader(header), SIZE), header);
  equal(decodeHeader(new Uint8Array(512).fill(7), SIZE), null);
});

await test("a device that is open read-only is not written, not one byte", async () => {
  const { disk, device } = await filledDevice();
  await device.close();
  disk.log.length = 0;
  const layer = new ChecksumLayer(disk, { environment, header, isReadOnly: true });
  const again = await Device.open(layer, environment);
  await again.read(0, again.size);
  await again.close();
  deepEqual([...new Set(disk.log.map(({ op }) => op))], [Op.read]);
});

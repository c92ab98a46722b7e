import { readFileSync } from "node:fs";
import { Device, environmentFrom } from "@cev/core";
import { RamdiskLayer } from "@cev/hw-ramdisk";

const BLOCK = 4096;

/** A disk image in memory, to be damaged at will. */
export async function loadDisk(path: string, name: string): Promise<Device> {
  const environment = environmentFrom(globalThis);
  const bytes = readFileSync(path);
  const layer = new RamdiskLayer(environment, { size: bytes.length });
  const device = await Device.open(layer, environment, { name });
  for (let at = 0; at < bytes.length; at += BLOCK) {
    const block = bytes.subarray(at, at + BLOCK);
    if (block.some((byte) => byte !== 0)) await device.write(at, block);
  }
  return device;
}

/** Flips one bit for as long as `body` runs. */
export async function withFlippedBit<T>(
  device: Device,
  { offset, bit }: { readonly offset: number; readonly bit: number },
  body: () => Promise<T>,
): Promise<T> {
  const before = await device.read(offset, 1);
  await device.write(offset, Uint8Array.of(before[0]! ^ (1 << bit)));
  try {
    return await body();
  } finally {
    await device.write(offset, before);
  }
}

import type { Device } from "@cev/core";
import { Random } from "../src/random.ts";
import { hashText } from "../matrix/hash.ts";

const MIB = 1024 * 1024;
const SKIPS = 64;
const SKIP_UNIT = 65_536;

/** The bytes that the kernel fills arrays with, from some place on: random, and the same in every run. */
export const CONTENT = new Random(1).bytes(48 * MIB);

/** Where the content of an array begins in `CONTENT`. */
export function contentStart(id: string): number {
  return (hashText(`content of ${id}`) % SKIPS) * SKIP_UNIT;
}

/** Null: the device holds exactly these bytes. Otherwise what is wrong, and where. Reads in pieces of odd lengths. */
export async function compareDevice(
  device: Device,
  expected: Uint8Array,
  random: Random,
): Promise<string | null> {
  if (device.size !== expected.length) return `${device.size} bytes long, not ${expected.length}`;
  const piece = random.pick([256 * 1024, MIB, 3 * MIB]) + 512 * random.below(9);
  for (let at = 0; at < expected.length; at += piece) {
    const wanted = expected.subarray(at, at + piece);
    const found = await device.read(at, wanted.length);
    if (Buffer.compare(found, wanted) === 0) continue;
    const first = found.findIndex((byte, index) => byte !== wanted[index]);
    const wrongCount = found.reduce((count, byte, index) => count + (byte === wanted[index] ? 0 : 1), 0);
    return `other bytes from ${at + first} on (${wrongCount} in the ${wanted.length} bytes at ${at})`;
  }
  return null;
}

import { Op, request, writeBytes } from "@cev/core";
import type { Environment, Layer } from "@cev/core";
import { HEADER_SIZES, luksMagicOf } from "../luks2/header.ts";
import type { HeaderDevice } from "../header/header-device.ts";
import { findEndSignatures, wipeEndSignatures } from "./end-signatures.ts";

const STEP = 1024 * 1024;
/** Bytes of a header in which all that identifies it lies. */
const HEADER_LENGTH = 4096;
// Beyond what a header itself takes no more than this is wiped, as cryptsetup does: what is recognised on a disk lies before it.
const ZEROED_MAX = { 1: 128 * 1024 * 1024, 2: 4 * 1024 * 1024 } as const;

/** What is to be overwritten. Bytes. */
export interface WipeRange {
  readonly version: 1 | 2;
  readonly keyslotsOffset: number;
  readonly headerLength: number;
  readonly dataOffset: number;
}

/**
 * Takes away what a device held before, where a new header is to be. The former LUKS header goes first, both copies of it: cut at
 * any write the former header opens all that it did, or there is none. Then zeroes where the new header goes and up to the data,
 * random bytes where its keyslots go, and at the device's end what others would know it by is taken out.
 */
export async function wipeFormer(
  lower: Layer,
  device: HeaderDevice,
  { version, keyslotsOffset, headerLength, dataOffset }: WipeRange,
  environment: Environment,
  onWiped: (done: number) => void,
): Promise<void> {
  const zeroedMax = Math.min(dataOffset, ZEROED_MAX[version], device.size);
  // Detached, it may have larger blocks than the data.
  const zeroedEnd = Math.max(headerLength, zeroedMax - (zeroedMax % lower.limits.logicalBlockSize));
  const headers = await headersOn(device);
  const signatures = await findEndSignatures(device, zeroedEnd);
  for (const offset of headers) await device.writeDurably(offset, new Uint8Array(HEADER_LENGTH));
  const bytes = new Uint8Array(Math.min(STEP, Math.max(keyslotsOffset, headerLength)));
  const ranges = [
    { from: 0, to: keyslotsOffset, isRandom: false },
    { from: keyslotsOffset, to: headerLength, isRandom: true },
    { from: headerLength, to: zeroedEnd, isRandom: false },
  ];
  for (const { from, to, isRandom } of ranges) {
    bytes.fill(0);
    for (let at = from; at < to; at += bytes.length) {
      const part = bytes.subarray(0, Math.min(bytes.length, to - at));
      if (isRandom) environment.random(part);
      await writeBytes(lower, environment, at, part);
      onWiped(at + part.length);
    }
  }
  await wipeEndSignatures(device, signatures);
  await request(lower, environment, Op.flush, 0, 0);
}

/** Where the former header and its second copy lie; the start in any case. */
export async function headersOn(device: HeaderDevice): Promise<number[]> {
  const found = [0];
  for (const offset of HEADER_SIZES) {
    if (offset + HEADER_LENGTH > device.size) break;
    const start = await device.read(offset, 512);
    if (luksMagicOf(start) === "luks2-secondary") found.push(offset);
  }
  return found;
}

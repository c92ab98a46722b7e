import { CevError, Op, request } from "@cev/core";
import type { PoolBuffer } from "@cev/core";
import type { Member } from "../array/member.ts";
import type { SyncWay } from "../array/personality.ts";
import { PARITY_KERNEL } from "../kernels/parity-kernel.ts";
import type { ParityEngine } from "./parity-engine.ts";
import type { StripeLock } from "./stripe-locks.ts";
import type { ByteRange } from "../array/unsynced-ranges.ts";

/**
 * Looks at one piece of the members' data, which lies within one stripe and is at most `sliceLengthMax` long, under the
 * stripe's lock. Resolves with the number of bytes whose parity was not right.
 */
export async function syncStripeSlice(array: ParityEngine, slice: ByteRange, way: SyncWay): Promise<number> {
  const stripe = Math.floor(slice.start / array.map.chunkSize);
  const lock = await new Promise<StripeLock>((granted) => {
    array.locks.acquire(stripe, true, granted, null);
  });
  try {
    return await restoreParity(array, slice, way);
  } finally {
    array.locks.release(lock);
  }
}

/**
 * Makes the parity of one range right again, which lies within one stripe. The buffer has room for as much of every
 * member.
 */
async function resyncSlice(
  array: ParityEngine,
  slice: ByteRange,
  way: SyncWay,
  buffer: PoolBuffer,
): Promise<number> {
  const { map, members, environment } = array;
  const length = slice.end - slice.start;
  const stripe = Math.floor(slice.start / map.chunkSize);
  const parityMember = members[map.parityMember(stripe)]!;
  // The last place in the buffer takes the parity as it is; the first what it should be.
  const order = [...members.filter((member) => member !== parityMember), parityMember];
  const reads = await Promise.allSettled(
    order.map((member, index) => {
      const part = buffer.bytes.subarray(index * length, (index + 1) * length);
      return request(member.target, environment, Op.read, member.dataStart + slice.start, length, part);
    }),
  );
  reads.forEach((read, index) => {
    if (read.status === "rejected") throw resyncError(order[index]!, slice, read.reason);
  });
  const parity = buffer.slab.kernel(PARITY_KERNEL);
  const parityAt = (order.length - 1) * length;
  // All of a right stripe, the parity included, is zero.
  parity.begin();
  for (let index = 0; index < order.length; index++) parity.add(buffer.bytes, index * length);
  parity.xorTo(buffer.address, length);
  if (isZero(buffer.bytes, length)) return 0;
  if (way === "check") return length;
  parity.begin();
  parity.add(buffer.bytes, parityAt);
  parity.add(buffer.bytes, 0);
  parity.xorTo(buffer.address + parityAt, length);
  const right = buffer.bytes.subarray(parityAt, parityAt + length);
  const offset = parityMember.dataStart + slice.start;
  await request(parityMember.target, environment, Op.write, offset, length, right).catch((error: unknown) => {
    throw resyncError(parityMember, slice, error);
  });
  return length;
}

/** The same for who holds the stripe's lock. Rejects also where no buffer can be had at once. */
export async function restoreParity(
  array: ParityEngine,
  slice: ByteRange,
  way: SyncWay = "resync",
): Promise<number> {
  const buffer = array.buffers.acquire((slice.end - slice.start) * array.map.memberCount);
  return resyncSlice(array, slice, way, buffer).finally(() => array.buffers.release(buffer));
}

/** `length`: a multiple of four. */
function isZero(bytes: Uint8Array, length: number): boolean {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, length / 4);
  for (let at = 0; at < words.length; at++) if (words[at] !== 0) return false;
  return true;
}

function resyncError(member: Member, slice: ByteRange, cause: unknown): CevError {
  return new CevError(
    "CEV_DEGRADED",
    `the array was not shut down cleanly, and its parity cannot be made right: ${member.name} failed at byte ` +
      `${member.dataStart + slice.start}`,
    { source: member.name, hint: "open it read-only and save what can be read", cause },
  );
}

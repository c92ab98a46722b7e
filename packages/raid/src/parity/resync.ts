import { CevError, Op, request } from "@cev/core";
import type { PoolBuffer } from "@cev/core";
import type { Member } from "../array/member.ts";
import { PARITY_KERNEL } from "../kernels/parity-kernel.ts";
import type { RunningArray } from "../array/running-array.ts";
import type { MemberRange } from "../array/unsynced-ranges.ts";

// So many slices at once.
const CONCURRENCY_MAX = 4;

/** How far a resync has come, in bytes of one member. */
export interface ResyncProgress {
  readonly done: number;
  readonly total: number;
}

/**
 * Makes the parity of some ranges of the members right again: computes it from the data and writes it where it differs.
 * For an array that nobody uses yet, with all members there. Rejects when a member fails.
 */
export async function resync(
  array: RunningArray,
  ranges: readonly MemberRange[],
  onProgress: (progress: ResyncProgress) => void,
): Promise<void> {
  const total = ranges.reduce((sum, { start, end }) => sum + end - start, 0);
  let done = 0;
  const slices = slicesOf(array, ranges);
  const work = async (): Promise<void> => {
    const length = array.sliceLengthMax * array.members.length;
    const buffer = array.buffers.acquire(length);
    try {
      for (const slice of slices) {
        await resyncSlice(array, slice, buffer);
        done += slice.end - slice.start;
        onProgress({ done, total });
      }
    } catch (error) {
      // The others need not go on.
      slices.return();
      throw error;
    } finally {
      array.buffers.release(buffer);
    }
  };
  const outcomes = await Promise.allSettled(Array.from({ length: CONCURRENCY_MAX }, work));
  const failed = outcomes.find((outcome) => outcome.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

/** Pieces that lie within one stripe and fit into a buffer each; shared by those who work on them. */
function* slicesOf(array: RunningArray, ranges: readonly MemberRange[]): Generator<MemberRange, void, void> {
  const { chunkSize } = array.map;
  for (const { start, end } of ranges) {
    for (let at = start; at < end;) {
      const next = Math.min(end, at + array.sliceLengthMax, at - (at % chunkSize) + chunkSize);
      yield { start: at, end: next };
      at = next;
    }
  }
}

/**
 * Makes the parity of one range right again, which lies within one stripe. The buffer has room for as much of every
 * member.
 */
async function resyncSlice(array: RunningArray, slice: MemberRange, buffer: PoolBuffer): Promise<void> {
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
  if (isZero(buffer.bytes, length)) return;
  parity.begin();
  parity.add(buffer.bytes, parityAt);
  parity.add(buffer.bytes, 0);
  parity.xorTo(buffer.address + parityAt, length);
  const right = buffer.bytes.subarray(parityAt, parityAt + length);
  const offset = parityMember.dataStart + slice.start;
  await request(parityMember.target, environment, Op.write, offset, length, right).catch((error: unknown) => {
    throw resyncError(parityMember, slice, error);
  });
}

/** `resyncSlice` with a buffer of its own. Rejects also where none can be had at once. */
export async function restoreParity(array: RunningArray, slice: MemberRange): Promise<void> {
  const buffer = array.buffers.acquire((slice.end - slice.start) * array.map.memberCount);
  await resyncSlice(array, slice, buffer).finally(() => array.buffers.release(buffer));
}

/** `length`: a multiple of four. */
function isZero(bytes: Uint8Array, length: number): boolean {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, length / 4);
  for (let at = 0; at < words.length; at++) if (words[at] !== 0) return false;
  return true;
}

function resyncError(member: Member, slice: MemberRange, cause: unknown): CevError {
  return new CevError(
    "CEV_DEGRADED",
    `the array was not shut down cleanly, and its parity cannot be made right: ${member.name} failed at byte ` +
      `${member.dataStart + slice.start}`,
    { source: member.name, hint: "open it read-only and save what can be read", cause },
  );
}

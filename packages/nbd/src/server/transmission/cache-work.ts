import { Op, request as submitAndWait } from "@cev/core";
import type { ColdWork } from "./cold-work.ts";
import type { Request } from "./request.ts";

const PIECE_LENGTH = 1_048_576;
// So much of what is known is asked for at once.
const ASKED_LENGTH = 67_108_864;
const ASKED_COUNT_MAX = 256;
const ASKED_EFFORT_MAX = 4096;

/** Reads a range piece by piece: whatever caches there are below fill meanwhile. What takes no room is left out. */
export async function cacheWork(cold: ColdWork, request: Request): Promise<void> {
  const { device, blockSizes } = cold.target;
  const end = request.offset + request.length;
  const memory = await cold.memory(Math.min(request.length, PIECE_LENGTH, blockSizes.payloadMax));
  try {
    for (let at = request.offset; at < end && !cold.isClosed;) {
      const extents = await extentsFrom(cold, at, Math.min(end - at, ASKED_LENGTH));
      for (const { length, isZero } of extents) {
        const stop = at + length;
        while (!isZero && at < stop && !cold.isClosed) {
          const data = memory.bytes.subarray(0, Math.min(stop - at, memory.bytes.length));
          await submitAndWait(device, device.environment, Op.read, at, data.length, data);
          at += data.length;
        }
        at = stop;
      }
    }
  } finally {
    memory.release();
  }
  if (!cold.isClosed) cold.writer.putDone(cold.style, request);
}

async function extentsFrom(
  { target: { device } }: ColdWork,
  offset: number,
  length: number,
): Promise<readonly { readonly length: number; readonly isZero: boolean }[]> {
  if (!device.knowsExtents) return [{ length, isZero: false }];
  return device.extents(offset, length, { countMax: ASKED_COUNT_MAX, effortMax: ASKED_EFFORT_MAX });
}

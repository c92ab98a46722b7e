import { assert } from "@cev/core";
import type { BufferPool, Slab } from "@cev/core";
import type { ByteRange } from "../array/unsynced-ranges.ts";
import { PARITY_KERNEL } from "../kernels/parity-kernel.ts";

/** True where a range of memory that lies in the pool is all zeroes. Whole sectors. */
export function isZero(buffers: BufferPool, bytes: Uint8Array, { start, end }: ByteRange): boolean {
  return slabOf(buffers, bytes)
    .kernel(PARITY_KERNEL)
    .isZero(bytes.byteOffset + start, end - start);
}

/** True where a range holds the same in both, which lie in one buffer of the pool. Whole sectors. */
export function isSame(
  buffers: BufferPool,
  pair: readonly [Uint8Array, Uint8Array],
  { start, end }: ByteRange,
): boolean {
  const kernel = slabOf(buffers, pair[0]).kernel(PARITY_KERNEL);
  kernel.begin();
  kernel.add(pair[0], start);
  kernel.add(pair[1], start);
  return kernel.xorIsZero(end - start);
}

function slabOf(buffers: BufferPool, bytes: Uint8Array): Slab {
  const slab = buffers.slabOf(bytes);
  assert(slab !== null, "what is compared lies in the pool");
  return slab;
}

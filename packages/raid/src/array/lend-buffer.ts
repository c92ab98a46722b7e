import { CevError } from "@cev/core";
import type { BufferPool, PoolBuffer } from "@cev/core";

/** Lends a buffer, waiting for one where the pool has none left. Rejects what the pool could never lend. */
export async function lendBuffer(buffers: BufferPool, length: number): Promise<PoolBuffer> {
  // Buffers are lent in powers of two.
  if (2 ** Math.ceil(Math.log2(length)) > buffers.bytesMax) {
    const message = `${length} bytes are needed at once, more than the pool may lend`;
    throw new CevError("CEV_NO_MEMORY", message);
  }
  for (;;) {
    const buffer = buffers.tryAcquire(length);
    if (buffer !== null) return buffer;
    await new Promise<void>((wake) => buffers.waitForRoom(() => wake(), null));
  }
}

import type { Device } from "@cev/core";

const CHUNK_LENGTH = 1024 * 1024;

/**
 * Copies all of one device into another that is at least as large. While a chunk is being written the next ones are read. `onCopied`
 * is told how many bytes are done.
 */
export async function copyDevice(
  from: Device,
  to: Device,
  onCopied: (done: number) => void,
  signal?: AbortSignal,
): Promise<void> {
  if (to.size < from.size)
    throw new RangeError(`${to.name} has ${to.size} bytes, ${from.name} has ${from.size}`);
  const call = signal === undefined ? {} : { signal };
  for await (const { offset, data } of from.chunks(0, from.size, { chunkLength: CHUNK_LENGTH, ...call })) {
    await to.write(offset, data, call);
    onCopied(offset + data.length);
  }
  // Only what was flushed survives a power cut.
  await to.flush();
}

import { Op, readBytes, request, writeBytes } from "@cev/core";
import type { Environment, Layer } from "@cev/core";
import type { HeaderSource } from "../luks2/copies.ts";

/** What carries a header that is being changed: the device itself, or the one of a detached header. */
export interface HeaderDevice extends HeaderSource {
  /** Bytes from the system's own source of randomness. */
  random(bytes: Uint8Array): void;
  /**
   * Writes bytes and makes sure that they are on the disk before anything that follows. Where they do not fill whole blocks of the
   * device, what is around them is written anew as it was.
   */
  writeDurably(offset: number, bytes: Uint8Array): Promise<void>;
}

/** The layer (open) as what a header is read from. `name`: what the user calls it. */
export function headerSourceOf(
  lower: Layer,
  environment: Environment,
  name: string = lower.name,
): HeaderSource {
  return {
    name,
    size: lower.limits.size,
    read: (offset, length) => readBytes(lower, environment, offset, length),
  };
}

/** The layer (open, and claimed by the caller) as a carrier of a header. `name`: what the user calls it. */
export function headerDevice(
  lower: Layer,
  environment: Environment,
  name: string = lower.name,
): HeaderDevice {
  return {
    ...headerSourceOf(lower, environment, name),
    random: (bytes) => environment.random(bytes),
    async writeDurably(offset, bytes) {
      const blockSize = lower.limits.logicalBlockSize;
      const start = offset - (offset % blockSize);
      const end = Math.ceil((offset + bytes.length) / blockSize) * blockSize;
      if (end - start === bytes.length) await writeBytes(lower, environment, offset, bytes);
      else {
        const blocks = await readBytes(lower, environment, start, end - start);
        blocks.set(bytes, offset - start);
        await writeBytes(lower, environment, start, blocks);
      }
      await request(lower, environment, Op.flush, 0, 0);
    },
  };
}

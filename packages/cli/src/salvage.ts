import { isCevError } from "@cev/core";
import type { Chunk, Device } from "@cev/core";

const CHUNK = 1 << 20;
const PIECE = 4096;

/** Bytes of a device that cannot be read. */
export interface LostRange {
  readonly start: number;
  end: number;
}

/**
 * All of a device in order, with zeroes where it cannot be read; those ranges are added to `lost`. What has not to do with
 * single ranges (a device that is gone, a signal) ends it with an error.
 */
export async function* salvage(
  device: Device,
  signal: AbortSignal,
  lost: LostRange[],
): AsyncGenerator<Chunk, void, void> {
  for (let offset = 0; offset < device.size; offset += CHUNK) {
    const length = Math.min(CHUNK, device.size - offset);
    const whole = await readOrNull(device, offset, length, signal);
    yield { offset, data: whole ?? (await readPieces(device, offset, length, signal, lost)) };
  }
}

async function readPieces(
  device: Device,
  start: number,
  length: number,
  signal: AbortSignal,
  lost: LostRange[],
): Promise<Uint8Array> {
  const data = new Uint8Array(length);
  for (let at = 0; at < length; at += PIECE) {
    const offset = start + at;
    const size = Math.min(PIECE, length - at);
    const piece = await readOrNull(device, offset, size, signal);
    const last = lost.at(-1);
    if (piece !== null) data.set(piece, at);
    else if (last?.end === offset) last.end = offset + size;
    else lost.push({ start: offset, end: offset + size });
  }
  return data;
}

async function readOrNull(
  device: Device,
  offset: number,
  length: number,
  signal: AbortSignal,
): Promise<Uint8Array | null> {
  try {
    return await device.read(offset, length, { signal });
  } catch (error) {
    const isOfRange = isCevError(error) && ["CEV_MEDIUM", "CEV_DEGRADED", "CEV_IO"].includes(error.code);
    if (signal.aborted || !isOfRange) throw error;
    return null;
  }
}

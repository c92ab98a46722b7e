import { open } from "node:fs/promises";
import { addAbortSignal } from "node:stream";
import type { Readable } from "node:stream";
import type { Device, Problem } from "@cev/core";
import { isUri } from "@cev/stack";
import { deviceChunks } from "./device-chunks.ts";
import { isFifo, openFifoInput } from "./fifo.ts";
import { hostError } from "./host-error.ts";
import { openUri } from "./open-uri.ts";

const CHUNK = 1 << 20;

/** Content to be written into a device: a file, or standard input for "-". */
export interface CopyInput {
  /** Bytes; null while nobody knows. */
  readonly size: number | null;
  /** Pieces of at most 1 MiB, in order. Each is the reader's to keep. */
  chunks(): AsyncIterable<Uint8Array>;
  close(): void | Promise<void>;
}

/** Opens a file, a URI that a driver knows, or standard input for "-". Reading ends with an error when the signal aborts. `report` is told of what does not stop it. */
export async function openInput(
  path: string,
  signal: AbortSignal,
  report: (problem: Problem) => void,
): Promise<CopyInput> {
  if (path === "-") return streamInput(addAbortSignal(signal, process.stdin), "standard input");
  if (isUri(path)) return deviceInput(await openUri(path, { isReadOnly: true, report }), signal);
  const fail = (error: unknown): never => {
    throw hostError(path, error);
  };
  if (await isFifo(path)) {
    return streamInput(addAbortSignal(signal, await openFifoInput(path).catch(fail)), path);
  }
  const file = await open(path, "r").catch(fail);
  const facts = await file.stat();
  const stream = addAbortSignal(signal, file.createReadStream({ highWaterMark: CHUNK }));
  return {
    size: facts.isFile() ? facts.size : null,
    chunks: () => regroup(stream, path),
    close: () => void stream.destroy(),
  };
}

function deviceInput(device: Device, signal: AbortSignal): CopyInput {
  return {
    size: device.size,
    async *chunks() {
      for await (const { length, data } of deviceChunks(device, signal)) yield data ?? new Uint8Array(length);
    },
    close: () => device.close(),
  };
}

function streamInput(stream: Readable, source: string): CopyInput {
  return { size: null, chunks: () => regroup(stream, source), close: () => void stream.destroy() };
}

/** Whole chunks, however the stream cut them: pipes come in pieces of 64 KiB. */
async function* regroup(stream: Readable, source: string): AsyncGenerator<Uint8Array, void, void> {
  let chunk = new Uint8Array(CHUNK);
  let filled = 0;
  try {
    for await (const piece of stream as AsyncIterable<Buffer>) {
      for (let at = 0; at < piece.length;) {
        const part = piece.subarray(at, at + CHUNK - filled);
        chunk.set(part, filled);
        filled += part.length;
        at += part.length;
        if (filled < CHUNK) continue;
        yield chunk;
        chunk = new Uint8Array(CHUNK);
        filled = 0;
      }
    }
  } catch (error) {
    throw hostError(source, error);
  }
  if (filled > 0) yield chunk.subarray(0, filled);
}

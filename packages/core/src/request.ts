import type { Environment } from "./environment.ts";
import { Io, IoFlag, Op, submitTo } from "./io.ts";
import type { SubmitTarget } from "./compound-io.ts";
import type { Limits } from "./limits.ts";

/** What the functions here talk to. Every `Layer` is one. */
export interface RequestTarget extends SubmitTarget {
  readonly limits: Limits;
}

/** Submits one request of its own and waits for it: for metadata, beside the data path. Rejects with its error. */
export async function request(
  target: SubmitTarget,
  environment: Environment,
  op: Op,
  offset: number,
  length: number,
  data: Uint8Array | null = null,
  flags = 0,
): Promise<void> {
  const io = new Io(environment.runQueue).prepare(op, offset, length, data, 0, flags);
  const done = io.promise();
  submitTo(target, io);
  await done;
}

/** Reads `length` bytes at `offset`, neither of which needs to be aligned, within the target's size. */
export async function readBytes(
  target: RequestTarget,
  environment: Environment,
  offset: number,
  length: number,
): Promise<Uint8Array> {
  const { logicalBlockSize, ioLengthMax } = target.limits;
  const start = offset - (offset % logicalBlockSize);
  const end = Math.ceil((offset + length) / logicalBlockSize) * logicalBlockSize;
  const bytes = new Uint8Array(end - start);
  const step = Math.min(ioLengthMax - (ioLengthMax % logicalBlockSize), bytes.length);
  for (let at = 0; at < bytes.length; at += step) {
    const part = bytes.subarray(at, at + step);
    await request(target, environment, Op.read, start + at, part.length, part);
  }
  return bytes.subarray(offset - start, offset - start + length);
}

/** Writes whole blocks, durably where `isDurable`: with FUA where that is offered, else followed by a flush. */
export async function writeBytes(
  target: RequestTarget & { readonly support: { readonly fua: string } },
  environment: Environment,
  offset: number,
  bytes: Uint8Array,
  isDurable = false,
): Promise<void> {
  const hasFua = target.support.fua !== "none";
  const { logicalBlockSize, ioLengthMax } = target.limits;
  const step = Math.min(ioLengthMax - (ioLengthMax % logicalBlockSize), bytes.length);
  for (let at = 0; at < bytes.length; at += step) {
    const part = bytes.subarray(at, at + step);
    await request(
      target,
      environment,
      Op.write,
      offset + at,
      part.length,
      part,
      isDurable && hasFua ? IoFlag.fua : 0,
    );
  }
  if (isDurable && !hasFua) await request(target, environment, Op.flush, 0, 0);
}

import { IoFlag, Op, request, writeBytes } from "@cev/core";
import type { Environment, Layer } from "@cev/core";
import type { RecordStep, Recording } from "./recorded.ts";

/** Settings of `replayRecording`. */
export interface ReplayOptions {
  readonly environment: Environment;
  /** Ends before the first step for which this is true. Default: goes on to the end. */
  readonly until?: (step: RecordStep) => boolean;
  /** 1: as fast as it was recorded; 2: in half of the time; default: as fast as it goes. Only where times were recorded. */
  readonly pace?: number;
  /** Called after each step. */
  readonly onStep?: (step: RecordStep) => void | Promise<void>;
}

const PIECE_MAX = 1024 * 1024;

/** Does on `target`, a device that is open, what was recorded; discards as zeroes. Returns how many steps were done. Rejects with the first error. */
export async function replayRecording(
  recording: Recording,
  target: Layer,
  options: ReplayOptions,
): Promise<number> {
  const { clock } = options.environment;
  let beganAt = Number.NaN;
  let count = 0;
  for await (const step of recording.steps()) {
    if (options.until?.(step) === true) break;
    if (options.pace !== undefined && step.atMs !== null) {
      if (Number.isNaN(beganAt)) beganAt = clock.now() - step.atMs / options.pace;
      const delayMs = beganAt + step.atMs / options.pace - clock.now();
      if (delayMs > 0) await new Promise<void>((resolve) => void clock.after(delayMs, resolve));
    }
    await replayStep(step, target, options.environment);
    await options.onStep?.(step);
    count++;
  }
  return count;
}

async function replayStep(step: RecordStep, target: Layer, environment: Environment): Promise<void> {
  switch (step.kind) {
    case "mark":
      return;
    case "flush":
      return request(target, environment, Op.flush, 0, 0);
    case "write":
      for (let within = 0; within < step.length; within += PIECE_MAX) {
        const data = await step.read(within, Math.min(PIECE_MAX, step.length - within));
        await writeBytes(target, environment, step.offset + within, data, step.isDurable);
      }
      return;
    case "writeZeroes":
    case "discard":
      return writeZeroes(step, target, environment);
  }
}

async function writeZeroes(step: RecordStep, target: Layer, environment: Environment): Promise<void> {
  const { offset, length, isDurable } = step;
  const { writeZeroes: level, fua } = target.support;
  if (level !== "none" && length <= target.limits.ioLengthMax && (!isDurable || fua !== "none"))
    return request(target, environment, Op.writeZeroes, offset, length, null, isDurable ? IoFlag.fua : 0);
  for (let within = 0; within < length; within += PIECE_MAX) {
    const zeroes = new Uint8Array(Math.min(PIECE_MAX, length - within));
    await writeBytes(target, environment, offset + within, zeroes, isDurable);
  }
}

import { CevError, JointLayer } from "@cev/core";
import type { Environment, JointCounts } from "@cev/core";
import type { StackDevice } from "../stack-device.ts";

type OpName = "read" | "write" | "flush" | "discard" | "writeZeroes";

/** What went through a device, of one operation. */
export interface OpStats {
  readonly count: number;
  /** Of requests that went well. */
  readonly bytes: number;
  readonly errorCount: number;
}

/** What went through a device. */
export interface DeviceStats {
  readonly name: string;
  readonly inFlight: number;
  /** Most of them at a time since the stack was opened. */
  readonly inFlightMax: number;
  readonly ops: { readonly [Name in OpName]: OpStats };
}

/** What went through the devices of a stack. */
export interface LiveStats {
  /** The time that is counted; null: all since each device was put in. */
  readonly seconds: number | null;
  readonly devices: readonly DeviceStats[];
}

/** Counts since the stack was opened. */
export function statsNow(devices: readonly StackDevice[]): LiveStats {
  return { seconds: null, devices: devices.flatMap(statsOf) };
}

/** Counts of a time that begins now. A device that was put in or taken out meanwhile is left out. */
export async function statsOver(
  devices: readonly StackDevice[],
  seconds: number,
  environment: Environment,
  signal?: AbortSignal,
): Promise<LiveStats> {
  const before = new Map(devices.flatMap((one) => (one.layer === null ? [] : [[one.layer, statsOf(one)]])));
  const startMs = environment.clock.now();
  await pause(seconds, environment, signal);
  const elapsed = (environment.clock.now() - startMs) / 1000;
  const after = devices.flatMap((one) => {
    const [first] = one.layer === null ? [] : (before.get(one.layer) ?? []);
    return first?.name === one.name ? statsOf(one).map((last) => difference(last, first)) : [];
  });
  return { seconds: elapsed, devices: after };
}

function statsOf({ name, layer }: StackDevice): DeviceStats[] {
  if (!(layer instanceof JointLayer)) return [];
  const { counts } = layer;
  return [{ name, inFlight: counts.inFlight, inFlightMax: counts.inFlightMax, ops: opsOf(counts) }];
}

function opsOf(counts: JointCounts): DeviceStats["ops"] {
  const of = (op: OpName): OpStats => {
    const { count, bytes, errorCount } = counts[op];
    return { count, bytes, errorCount };
  };
  return {
    read: of("read"),
    write: of("write"),
    flush: of("flush"),
    discard: of("discard"),
    writeZeroes: of("writeZeroes"),
  };
}

function difference(last: DeviceStats, first: DeviceStats): DeviceStats {
  const of = (op: OpName): OpStats => ({
    count: last.ops[op].count - first.ops[op].count,
    bytes: last.ops[op].bytes - first.ops[op].bytes,
    errorCount: last.ops[op].errorCount - first.ops[op].errorCount,
  });
  const ops = {
    read: of("read"),
    write: of("write"),
    flush: of("flush"),
    discard: of("discard"),
    writeZeroes: of("writeZeroes"),
  };
  return { ...last, ops };
}

function pause(seconds: number, { clock }: Environment, signal?: AbortSignal): Promise<void> {
  const stopped = (): CevError => new CevError("CEV_CANCELLED", "nobody waits for the counts any more");
  if (signal?.aborted === true) return Promise.reject(stopped());
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      timer.cancel();
      reject(stopped());
    };
    const timer = clock.after(seconds * 1000, () => {
      signal?.removeEventListener("abort", abort);
      resolve();
    });
    signal?.addEventListener("abort", abort, { once: true });
  });
}

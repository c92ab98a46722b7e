import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import type { NativePeer } from "../native-peer.ts";

/** What a load did in a second, and what the server took for it. */
export interface Sample {
  /** Requests. */
  readonly perSecond: number;
  /** Microseconds of the server's processor time per request. */
  readonly serverTime: number;
}

/** One way to use a server. */
export interface Load {
  readonly name: string;
  run(uri: string, pid: number): Sample;
}

/** One that does not hold up this program meanwhile. */
export interface AsyncLoad {
  readonly name: string;
  run(uri: string, pid: number): Promise<Sample>;
}

const RUN_MS = 500;

/** Random requests of 4 KiB by fio. */
export function fioLoad(direction: "read" | "write", depth: number, connectionCount = 1): Load {
  const connections = connectionCount === 1 ? "" : `, ${connectionCount} connections`;
  const name = `random ${direction}, 4 KiB, depth ${depth}${connections}`;
  return newFioLoad(name, direction, [
    `--rw=rand${direction}`,
    "--bs=4k",
    `--iodepth=${depth}`,
    `--numjobs=${connectionCount}`,
  ]);
}

/** Requests one behind the other, by fio. */
export function fioSequentialLoad(direction: "read" | "write", depth: number, sizeKib = 64): Load {
  const name = `sequential ${direction}, ${sizeKib} KiB, depth ${depth}`;
  return newFioLoad(name, direction, [`--rw=${direction}`, `--bs=${sizeKib}k`, `--iodepth=${depth}`]);
}

/** Random requests of 4 KiB by a client that sends `depth` of them at once, and then takes all answers. */
export function batchingLoad(client: NativePeer, direction: "read" | "write", depth: number): AsyncLoad {
  return {
    name: `batched ${direction}, 4 KiB, depth ${depth}`,
    async run(uri, pid) {
      const before = processorTime(pid);
      const path = new URL(uri).searchParams.get("socket")!;
      const perSecond = await client.ask(path, direction, depth, RUN_MS);
      return { perSecond, serverTime: (processorTime(pid) - before) / ((perSecond * RUN_MS) / 1000) };
    },
  };
}

function newFioLoad(name: string, direction: "read" | "write", settings: readonly string[]): Load {
  return {
    name,
    run(uri, pid) {
      const before = processorTime(pid);
      const output = execute("fio", [
        "--name=bench",
        "--ioengine=nbd",
        `--uri=${uri}`,
        ...settings,
        "--thread",
        "--group_reporting",
        "--norandommap",
        "--time_based",
        `--runtime=${RUN_MS}ms`,
        "--output-format=json",
      ]);
      const job = (JSON.parse(output.slice(output.indexOf("{"))) as FioOutput).jobs[0]![direction];
      return { perSecond: job.iops, serverTime: (processorTime(pid) - before) / job.total_ios };
    },
  };
}

interface FioOutput {
  readonly jobs: readonly Record<"read" | "write", { readonly iops: number; readonly total_ios: number }>[];
}

// As nbdcopy asks for it where nothing else is set.
const COPIED_AT_ONCE = 256 * 1024;

/** The whole device, from or to a file in memory, by nbdcopy. */
export function nbdcopyLoad(direction: "read" | "write", file: string, size: number): Load {
  return {
    name: `nbdcopy, ${direction}`,
    run(uri, pid) {
      const before = processorTime(pid);
      const start = process.hrtime.bigint();
      execute("nbdcopy", direction === "read" ? [uri, "null:"] : [file, uri]);
      const seconds = Number(process.hrtime.bigint() - start) / 1e9;
      const count = size / COPIED_AT_ONCE;
      return { perSecond: count / seconds, serverTime: (processorTime(pid) - before) / count };
    },
  };
}

function execute(command: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}`);
  return stdout;
}

const MICROSECONDS_PER_TICK = 10_000;

/** Microseconds of processor time that a process and those that it made have taken, as Linux counts them. */
function processorTime(pid: number): number {
  const alive = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean);
  const ticks = alive.map(ticksOf);
  // Of one that has ended just now, the time is in the figures of the process itself, from here on.
  if (ticks.includes(null)) return processorTime(pid);
  return (
    [ticksOf(String(pid)), ...ticks].reduce<number>((sum, each) => sum + each!, 0) * MICROSECONDS_PER_TICK
  );
}

/** Null: there is no such process any more. */
function ticksOf(pid: string): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  } catch {
    return null;
  }
}

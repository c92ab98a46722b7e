import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** What a load did in a second, and what the server took for it. */
export interface Sample {
  /** Requests or bytes. */
  readonly perSecond: number;
  /** Microseconds of the server's processor time per unit of `perSecond`. */
  readonly serverTime: number;
}

/** One way to use a server. */
export interface Load {
  readonly name: string;
  run(uri: string, pid: number): Sample;
}

/** Random requests of 4 KiB by fio. */
export function fioLoad(direction: "read" | "write", depth: number, connectionCount = 1): Load {
  const connections = connectionCount === 1 ? "" : `${connectionCount} connections x `;
  const name = `random ${direction}, 4 KiB, depth ${connections}${depth}`;
  return newFioLoad(name, direction, [
    `--rw=rand${direction}`,
    "--bs=4k",
    `--iodepth=${depth}`,
    `--numjobs=${connectionCount}`,
  ]);
}

/** Requests of 64 KiB one behind the other, by fio. */
export function fioSequentialLoad(direction: "read" | "write", depth: number): Load {
  const name = `sequential ${direction}, 64 KiB, depth ${depth}`;
  return newFioLoad(name, direction, [`--rw=${direction}`, "--bs=64k", `--iodepth=${depth}`]);
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
        "--runtime=1",
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

/** The whole device, from or to a file in memory, by nbdcopy. */
export function nbdcopyLoad(direction: "read" | "write", file: string, size: number): Load {
  return {
    name: `nbdcopy, ${direction}`,
    run(uri, pid) {
      const before = processorTime(pid);
      const start = process.hrtime.bigint();
      execute("nbdcopy", direction === "read" ? [uri, "null:"] : [file, uri]);
      const seconds = Number(process.hrtime.bigint() - start) / 1e9;
      return { perSecond: size / seconds, serverTime: (processorTime(pid) - before) / size };
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

/** Microseconds of processor time that a process has taken, as Linux counts them. */
function processorTime(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * MICROSECONDS_PER_TICK;
}

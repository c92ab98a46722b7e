import { existsSync, readFileSync } from "node:fs";
import { runOracle } from "../oracle/run-oracle.ts";
import type { SharedDisk } from "./shared-disk.ts";

/** Jobs for one kernel, which does them one after the other. */
export interface KernelRun {
  /** A folder that has the file `content`; each job leaves its log there. */
  readonly folder: string;
  readonly disk: SharedDisk;
  /** The folder with `kernel.sh`, which has the function `job`; found there as `$MATRIX`. */
  readonly library: string;
  /** A line of the script for each job: `job 0 make …`. */
  readonly jobs: readonly string[];
  readonly jobTimeoutMs: number;
}

/** What a job left. */
export interface JobLog {
  readonly log: string;
  /** How the whole run ended, where that was badly; else empty. */
  readonly broken: string;
}

/** Runs the jobs; what each of them left. */
export async function runJobs(run: KernelRun): Promise<readonly JobLog[]> {
  const { folder, disk, library, jobs, jobTimeoutMs } = run;
  const { status, stderr } = await runOracle({
    script: ['. "$MATRIX/kernel.sh"', ...jobs].join("\n"),
    disks: [disk.path],
    work: folder,
    env: { MATRIX: library },
    timeoutMs: 120_000 + jobs.length * jobTimeoutMs,
  });
  const broken = status === 0 ? "" : `the kernel's run ended with ${status}: ${stderr}`;
  return jobs.map((_, number) => ({ log: readIfThere(`${folder}/${number}.log`) ?? "", broken }));
}

/** The line of a job that calls a function with words and devices. */
export function jobLine(
  number: number,
  { call, args, members }: { call: string; args: readonly string[]; members: readonly number[] },
  disk: SharedDisk,
): string {
  const words = args.map((arg) => `'${arg}'`);
  return ["job", number, call, ...words, ...members.map((member) => disk.deviceOf(member))].join(" ");
}

/** The text of a file; null: there is none. */
export function readIfThere(path: string): string | null {
  return existsSync(path) ? readFileSync(path, "utf8") : null;
}

import { fileURLToPath } from "node:url";
import { jobLine, runJobs } from "../matrix/kernel-jobs.ts";
import type { SharedDisk } from "../matrix/shared-disk.ts";

const LIBRARY = fileURLToPath(new URL(".", import.meta.url));

/** One call of a function of `kernel.sh`. */
export interface KernelJob {
  readonly call: "create" | "become_raid0" | "examine" | "judge";
  readonly args: readonly string[];
  /** The members' numbers on the disk, by index. */
  readonly members: readonly number[];
}

/** What a job's log says. */
export interface KernelAnswer {
  readonly isOk: boolean;
  /** "size", "before", "after", "mismatches". */
  readonly findings: ReadonlyMap<string, string>;
  /** What `mdadm --examine` printed, by title of the section: "members as they came" and so on. */
  readonly sections: ReadonlyMap<string, string>;
  readonly log: string;
}

/** Runs jobs one after the other in one kernel, in a folder that has the file `content`; an answer for each. */
export async function runInKernel(
  folder: string,
  disk: SharedDisk,
  jobs: readonly KernelJob[],
): Promise<readonly KernelAnswer[]> {
  const lines = jobs.map((job, number) => jobLine(number, job, disk));
  const logs = await runJobs({ folder, disk, library: LIBRARY, jobs: lines, jobTimeoutMs: 20_000 });
  return logs.map(({ log, broken }) => readLog(log, broken));
}

function readLog(log: string, broken: string): KernelAnswer {
  const findings = new Map<string, string>();
  const sections = new Map<string, string>();
  let title = "";
  for (const line of log.split("\n")) {
    const finding = /^(size|before|after|mismatches|result) (\S+)(?:  -)?$/.exec(line);
    if (finding !== null) findings.set(finding[1]!, finding[2]!);
    else if (line.startsWith("== ")) title = line.slice(3);
    else sections.set(title, `${sections.get(title) ?? ""}${line}\n`);
  }
  return { isOk: findings.get("result") === "ok", findings, sections, log: `${log}${broken}` };
}

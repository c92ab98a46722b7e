import { fileURLToPath } from "node:url";
import { jobLine, readIfThere, runJobs } from "../matrix/kernel-jobs.ts";
import type { SharedDisk } from "../matrix/shared-disk.ts";

const LIBRARY = fileURLToPath(new URL(".", import.meta.url));

/** One call of a function of `kernel.sh`. */
export interface KernelJob {
  readonly call: "make" | "judge" | "crashed";
  readonly args: readonly string[];
  /** The numbers on the disk of the physical volumes. */
  readonly members: readonly number[];
}

/** A volume as the kernel read it. */
export interface VolumeHash {
  readonly size: number;
  readonly sha256: string;
}

/** What a job's log says. */
export interface KernelAnswer {
  readonly isOk: boolean;
  readonly volumes: ReadonlyMap<string, VolumeHash>;
  /** The same once LVM2 has changed the group. */
  readonly changed: ReadonlyMap<string, VolumeHash>;
  /** "mismatches small 0" and the like, as name and value. */
  readonly findings: ReadonlyMap<string, string>;
  /** The listings, by their titles "lvs", "pvs", "vgs": a line each, its columns. */
  readonly listings: ReadonlyMap<string, readonly (readonly string[])[]>;
  /** The group's text, where the job wrote it. */
  readonly text: string | null;
  readonly log: string;
}

/** Runs jobs one after the other in one kernel, in a folder that has the file `content`; an answer for each. */
export async function runInKernel(
  folder: string,
  disk: SharedDisk,
  jobs: readonly KernelJob[],
): Promise<readonly KernelAnswer[]> {
  const lines = jobs.map((job, number) => jobLine(number, job, disk));
  const logs = await runJobs({ folder, disk, library: LIBRARY, jobs: lines, jobTimeoutMs: 60_000 });
  return logs.map(({ log, broken }, number) =>
    readLog(`${log}${broken}`, readIfThere(`${folder}/${number}.vg`)),
  );
}

/** Reads what `hashes` and `listing` of `groups.sh` print, among other lines. */
export function readLog(log: string, text: string | null): KernelAnswer {
  const volumes = new Map<string, VolumeHash>();
  const changed = new Map<string, VolumeHash>();
  const findings = new Map<string, string>();
  const listings = new Map<string, (readonly string[])[]>();
  let rows: (readonly string[])[] = [];
  let title = "";
  for (const line of log.split("\n")) {
    const volume = /^volume (\S+) (\d+) ([0-9a-f]{64})$/.exec(line);
    const finding = /^(?:finding (\S+ \S+)|(result)) (\S+)$/.exec(line);
    if (volume !== null)
      (title === "contents" ? changed : volumes).set(volume[1]!, {
        size: Number(volume[2]),
        sha256: volume[3]!,
      });
    else if (finding !== null) findings.set(finding[1] ?? finding[2]!, finding[3]!);
    else if (line.startsWith("== ")) {
      rows = [];
      title = line.slice(3);
      listings.set(title, rows);
    } else if (line.includes("|")) rows.push(line.trim().split("|"));
  }
  return { isOk: findings.get("result") === "ok", volumes, changed, findings, listings, text, log };
}

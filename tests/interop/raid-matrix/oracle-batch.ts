import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { runOracle } from "../oracle/run-oracle.ts";
import type { SharedDisk } from "./shared-disk.ts";

const LIBRARY = fileURLToPath(new URL("kernel.sh", import.meta.url));

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
  const lines = jobs.map(({ call, args, members }, number) =>
    ["job", number, call, ...args.map((arg) => `'${arg}'`), ...members.map((m) => disk.deviceOf(m))].join(
      " ",
    ),
  );
  const run = await runOracle({
    script: [`. '${LIBRARY}'`, ...lines].join("\n"),
    disks: [disk.path],
    work: folder,
    timeoutMs: 120_000 + jobs.length * 20_000,
  });
  return jobs.map((_, number) => {
    const path = `${folder}/${number}.log`;
    const log = existsSync(path) ? readFileSync(path, "utf8") : "";
    const broken = run.status === 0 ? "" : `the kernel's run ended with ${run.status}: ${run.stderr}`;
    return readLog(log, broken);
  });
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

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { mergeReports, replayLine, runOfSeed } from "@cev/test-kit";
import type { CampaignReport, SimulationKind } from "@cev/test-kit";

/** What a worker tells, a line of JSON each. */
export type WorkerLine =
  | { readonly seed: number }
  | { readonly failure: string }
  | { readonly report: CampaignReport; readonly processorSeconds: number };

/** Settings of a search in several processes. */
export interface JobsOptions {
  readonly jobs: number;
  readonly kinds: readonly SimulationKind[];
  /** Lines name the kinds, since there are others. */
  readonly namesKinds: boolean;
  readonly seed: number;
  /** Arguments of the worker of a job. */
  readonly argumentsOf: (job: number) => readonly string[];
  readonly onFailure: (line: string) => void;
}

/** What all of them found. */
export interface JobsReport {
  readonly report: CampaignReport | null;
  /** Replay lines. */
  readonly failures: readonly string[];
  /** Of all of them together: how fast they are where others use the processors too. */
  readonly processorSeconds: number;
}

// A run takes some milliseconds, and what is found is made small in some seconds.
const SILENCE_MAX_MS = 120_000;

// Little of a run outlives it: a heap that may grow at first is swept less often.
const HEAP = "--initial-old-space-size=400";

/** Campaigns in processes of their own. A run that does not end, or takes its process along, is a finding like any other. */
export async function runJobs(options: JobsOptions): Promise<JobsReport> {
  const failures: string[] = [];
  const found = (line: string): void => {
    failures.push(line);
    options.onFailure(line);
  };
  let processorSeconds = 0;
  const used = (seconds: number): void => void (processorSeconds += seconds);
  const reports = await Promise.all(
    Array.from({ length: options.jobs }, (_, job) => runWorker(options, job, { found, used })),
  );
  const report = reports.reduce((a, b) => (a === null || b === null ? (a ?? b) : mergeReports(a, b)), null);
  return { report, failures, processorSeconds };
}

async function runWorker(
  options: JobsOptions,
  job: number,
  {
    found,
    used,
  }: { readonly found: (line: string) => void; readonly used: (processorSeconds: number) => void },
): Promise<CampaignReport | null> {
  const worker = spawn(
    process.execPath,
    [...process.execArgv, HEAP, process.argv[1]!, ...options.argumentsOf(job)],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  let seed = options.seed + job;
  let report: CampaignReport | null = null;
  let isSilent = false;
  let watch: NodeJS.Timeout | undefined;
  const heard = (): void => {
    clearTimeout(watch);
    watch = setTimeout(() => {
      isSilent = true;
      worker.kill("SIGKILL");
    }, SILENCE_MAX_MS);
  };
  heard();
  const ended = new Promise<number | null>((resolve) => worker.once("close", resolve));
  for await (const text of createInterface({ input: worker.stdout })) {
    heard();
    const line = JSON.parse(text) as WorkerLine;
    if ("seed" in line) seed = line.seed;
    else if ("failure" in line) found(line.failure);
    else {
      report = line.report;
      used(line.processorSeconds);
    }
  }
  const code = await ended;
  clearTimeout(watch);
  if (report === null) {
    const { kinds, namesKinds } = options;
    const whole = runOfSeed(seed, kinds);
    const finding = isSilent ? "the run does not end" : `the process ended with ${code ?? "a signal"}`;
    found(replayLine({ seed, ...whole, finding, whole, kinds, namesKinds }));
  }
  return report;
}

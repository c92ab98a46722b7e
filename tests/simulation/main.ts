// Random stacks of all layers under random work, faults and power cuts. `--help` lists the options.
import { parseArgs } from "node:util";
import {
  campaign,
  emptyReport,
  parseKeep,
  parseStack,
  replay,
  reportTable,
  simulationVersion,
} from "@cev/test-kit";
import type { Keep, SimulationKind, StackPlan } from "@cev/test-kit";
import { runJobs } from "./jobs.ts";
import type { WorkerLine } from "./jobs.ts";
import { KINDS } from "./kinds/index.ts";
import { MUTANTS } from "./mutants/table.ts";
import { runMutants } from "./mutants/run.ts";

const HELP = `sim: random stacks of all layers, random work, faults and power cuts, checked against a model
  --seed S        the first run has this seed, the next one S + 1 (default: the time)
  --steps N       so many steps at least (default 100000)
  --minutes M     as long as this, instead
  --kinds A,B     only these kinds of layers: ${KINDS.map(({ name }) => name).join(", ")}
  --jobs N        processes beside one another, with every N-th seed each (default 1)
  --failures N    so many failures before one of them ends (default 1)
  --version V     the one run of this seed again, as a replay line says
  --keep 0,3-5:1  only these steps of it, and of a step only these requests
  --stack TEXT    on another stack than the one of the seed
  --any-version   also where the version is another one: then the seed means something else
  --mutants       plants each known defect and looks for it, --minutes long at most (default 1)
  --mutant NAME   this one: ${MUTANTS.map(({ name }) => name).join(", ")}
  --record        with them: keeps what finds each for the test that runs it again
  --json          the result as JSON`;

const { values } = parseArgs({
  args: process.argv.slice(2).filter((argument) => argument !== "--"),
  options: {
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    steps: { type: "string", default: "100000" },
    minutes: { type: "string" },
    kinds: { type: "string" },
    failures: { type: "string", default: "1" },
    version: { type: "string" },
    keep: { type: "string" },
    stack: { type: "string" },
    jobs: { type: "string", default: "1" },
    // Of the processes that do the work: how many there are.
    worker: { type: "string" },
    "any-version": { type: "boolean", default: false },
    mutants: { type: "boolean", default: false },
    mutant: { type: "string" },
    record: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

process.exitCode = await main();

async function main(): Promise<number> {
  const wanted = values.kinds?.split(",");
  const kinds = KINDS.filter(({ name }) => wanted?.includes(name) ?? true);
  const isKnown = wanted?.every((name) => KINDS.some((kind) => kind.name === name)) ?? true;
  const mutants = MUTANTS.filter(({ name }) => values.mutant === undefined || name === values.mutant);
  const keep = values.keep === undefined ? null : parseKeep(values.keep);
  const stack = values.stack === undefined ? null : parseStack(values.stack);
  const isKeepWrong = values.keep !== undefined && keep === null;
  const isStackWrong = values.stack !== undefined && stack === null;
  if (
    values.help ||
    !isKnown ||
    mutants.length === 0 ||
    isKeepWrong ||
    isStackWrong ||
    !/^[1-9]\d?$/.test(values.jobs) ||
    !Number.isSafeInteger(Number(values.seed))
  ) {
    console.log(HELP);
    return values.help ? 0 : 2;
  }
  if (values.mutants || values.mutant !== undefined)
    return runMutants(mutants, {
      seed: Number(values.seed),
      minutes: Number(values.minutes ?? 1),
      isRecording: values.record,
    });
  const seed = Number(values.seed);
  if (values.worker !== undefined) return work(seed, kinds, Number(values.worker));
  if (values.version !== undefined || keep !== null || stack !== null)
    return again(seed, kinds, { keep, stack });
  return search(seed, kinds);
}

async function again(
  seed: number,
  kinds: readonly SimulationKind[],
  part: { readonly keep: Keep | null; readonly stack: StackPlan | null },
): Promise<number> {
  const version = simulationVersion(kinds);
  if (values.version !== undefined && values.version !== version && !values["any-version"]) {
    console.log(
      `this is version ${version}, not ${values.version}: the seed means something else here (--any-version runs it)`,
    );
    return 2;
  }
  const { findings, stack, trace } = await replay(seed, kinds, part);
  if (values.json) console.log(JSON.stringify({ seed, version, stack, trace, findings }));
  else {
    console.log(`${stack}, trace ${trace}`);
    for (const finding of findings) console.log(finding);
    if (findings.length === 0) console.log("nothing is wrong");
  }
  return findings.length === 0 ? 0 : 1;
}

/** One of the processes of a search. */
async function work(seed: number, kinds: readonly SimulationKind[], jobs: number): Promise<number> {
  const start = performance.now();
  const end = values.minutes === undefined ? Infinity : start + Number(values.minutes) * 60_000;
  const tell = (line: WorkerLine): void => console.log(JSON.stringify(line));
  const report = await campaign({
    seed,
    seedStep: jobs,
    kinds,
    namesKinds: values.kinds !== undefined,
    failuresMax: Number(values.failures),
    onRun: (next) => tell({ seed: next }),
    onFailure: ({ line }) => tell({ failure: line }),
    ...(values.minutes === undefined
      ? { stepsMax: Number(values.steps) / jobs }
      : { isOver: () => performance.now() >= end }),
  });
  const { user, system } = process.cpuUsage();
  tell({ report: { ...report, failures: [] }, processorSeconds: (user + system) / 1e6 });
  return report.failures.length === 0 ? 0 : 1;
}

async function search(seed: number, kinds: readonly SimulationKind[]): Promise<number> {
  const start = performance.now();
  const version = simulationVersion(kinds);
  if (!values.json) console.log(`--seed ${seed}, version ${version}`);
  const passed = ["steps", "minutes", "kinds", "failures"] as const;
  const result = await runJobs({
    jobs: Number(values.jobs),
    kinds,
    namesKinds: values.kinds !== undefined,
    seed,
    argumentsOf: (job) => [
      ...["--worker", values.jobs, "--seed", String(seed + job)],
      ...passed.flatMap((name) => (values[name] === undefined ? [] : [`--${name}`, values[name]])),
    ],
    onFailure: (line) => {
      if (!values.json) console.log(line);
    },
  });
  const { failures, processorSeconds } = result;
  const report = result.report ?? emptyReport(kinds.map(({ name }) => name));
  const seconds = (performance.now() - start) / 1000;
  const stepsPerSecond = Math.round(report.stepCount / seconds);
  if (values.json) {
    console.log(
      JSON.stringify({ seed, version, ...report, failures, seconds, processorSeconds, stepsPerSecond }),
    );
    return failures.length === 0 ? 0 : 1;
  }
  const { stepCount, requestCount, redrawnCount, turnCount } = report;
  console.log(reportTable(report));
  console.log(
    `${stepCount} steps, ${requestCount} of them requests, ${turnCount} turns; ${redrawnCount} runs drawn anew; ` +
      `${failures.length} failures in ${seconds.toFixed(1)} s: ${stepsPerSecond} steps/s, ` +
      `${Math.round(stepCount / Math.max(processorSeconds, 0.001))} per second of a processor`,
  );
  return failures.length === 0 ? 0 : 1;
}

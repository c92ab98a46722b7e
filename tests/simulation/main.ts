// Random stacks of all layers under random work, faults and power cuts. `--help` lists the options.
import {
  campaign,
  emptyReport,
  parseKeep,
  parseStack,
  replay,
  reportTable,
  runOfSeed,
  simulationVersion,
} from "@cev/test-kit";
import type { Keep, SimulationKind, StackPlan } from "@cev/test-kit";
import { HELP, argumentsOf, notIn } from "./arguments.ts";
import type { Values } from "./arguments.ts";
import { runJobs } from "./jobs.ts";
import type { WorkerLine } from "./jobs.ts";
import { KINDS, NAMED_KINDS } from "./kinds/index.ts";
import { MUTANTS } from "./mutants/table.ts";
import { runMutantSeeds, runMutants } from "./mutants/run.ts";

const values = checkedArguments();

process.exitCode = await main();

function checkedArguments(): Values {
  const found = argumentsOf(process.argv.slice(2));
  if (typeof found !== "string") return found;
  console.error(`${found}\n--help lists what can be asked for`);
  process.exit(2);
}

async function main(): Promise<number> {
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const wanted = values.kinds?.split(",");
  const kinds = wanted === undefined ? KINDS : NAMED_KINDS.filter(({ name }) => wanted.includes(name));
  const mutants = MUTANTS.filter(({ name }) => values.mutant === undefined || name === values.mutant);
  const keep = values.keep === undefined ? null : parseKeep(values.keep);
  const stack = values.stack === undefined ? null : parseStack(values.stack);
  if (values.mutants || values.mutant !== undefined) {
    const settings = { seed: Number(values.seed), minutes: Number(values.minutes ?? 1) };
    return values.seeds === undefined
      ? runMutants(mutants, { ...settings, isRecording: values.record })
      : runMutantSeeds(mutants, { ...settings, seedCount: Number(values.seeds) });
  }
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
  const missing = part.keep === null ? null : notIn(runOfSeed(seed, kinds).script, part.keep);
  if (missing !== null) {
    console.error(`--keep: the run of seed ${seed} has no ${missing}`);
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
  const minutes = Number(values.minutes ?? Infinity);
  const millisecondsTaken = (): number =>
    values["of-processor"] ? process.cpuUsage().user / 1000 : performance.now() - start;
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
      : { isOver: () => millisecondsTaken() >= minutes * 60_000 }),
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
      ...(values["of-processor"] ? ["--of-processor"] : []),
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

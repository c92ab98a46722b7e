// Random stacks of all layers under random work, faults and power cuts. `--help` lists the options.
import { parseArgs } from "node:util";
import { campaign, parseRanges, replay, simulationVersion } from "@cev/test-kit";
import { KINDS } from "./kinds/index.ts";
import { MUTANTS } from "./mutants/table.ts";
import { runMutants } from "./mutants/run.ts";

const HELP = `sim: random stacks of all layers, random work, faults and power cuts, checked against a model
  --seed S        the first run has this seed, the next one S + 1 (default: the time)
  --steps N       so many steps at least (default 100000)
  --minutes M     as long as this, instead
  --kinds A,B     only these kinds of layers: ${KINDS.map(({ name }) => name).join(", ")}
  --failures N    so many failures before it ends (default 1)
  --version V     the one run of this seed again, as a replay line says
  --keep 0,3-5    only these steps of it
  --any-version   also where the version is another one: then the seed means something else
  --mutants       plants each known defect and looks for it, --minutes long at most (default 1)
  --mutant NAME   this one: ${MUTANTS.map(({ name }) => name).join(", ")}
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
    "any-version": { type: "boolean", default: false },
    mutants: { type: "boolean", default: false },
    mutant: { type: "string" },
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
  const keep = values.keep === undefined ? null : parseRanges(values.keep);
  const isKeepWrong = values.keep !== undefined && keep === null;
  if (
    values.help ||
    !isKnown ||
    mutants.length === 0 ||
    isKeepWrong ||
    !Number.isSafeInteger(Number(values.seed))
  ) {
    console.log(HELP);
    return values.help ? 0 : 2;
  }
  if (values.mutants || values.mutant !== undefined)
    return runMutants(mutants, Number(values.seed), Number(values.minutes ?? 1));
  const seed = Number(values.seed);
  if (values.version !== undefined || keep !== null) return again(seed, kinds, keep);
  return search(seed, kinds);
}

async function again(seed: number, kinds: typeof KINDS, keep: readonly number[] | null): Promise<number> {
  const version = simulationVersion(kinds);
  if (values.version !== undefined && values.version !== version && !values["any-version"]) {
    console.log(
      `this is version ${version}, not ${values.version}: the seed means something else here (--any-version runs it)`,
    );
    return 2;
  }
  const { findings, stack, trace } = await replay(seed, kinds, keep);
  if (values.json) console.log(JSON.stringify({ seed, version, stack, trace, findings }));
  else {
    console.log(`${stack}, trace ${trace}`);
    for (const finding of findings) console.log(finding);
    if (findings.length === 0) console.log("nothing is wrong");
  }
  return findings.length === 0 ? 0 : 1;
}

async function search(seed: number, kinds: typeof KINDS): Promise<number> {
  const start = performance.now();
  const end = values.minutes === undefined ? Infinity : start + Number(values.minutes) * 60_000;
  if (!values.json) console.log(`--seed ${seed}, version ${simulationVersion(kinds)}`);
  const report = await campaign({
    seed,
    kinds,
    failuresMax: Number(values.failures),
    onFailure: ({ line }) => {
      if (!values.json) console.log(line);
    },
    ...(values.minutes === undefined
      ? { stepsMax: Number(values.steps) }
      : { isOver: () => performance.now() >= end }),
  });
  const seconds = (performance.now() - start) / 1000;
  const { runCount, stepCount, cutCount, excusedCount, turnCount, runsByKind, failures } = report;
  if (values.json) {
    const lines = failures.map(({ line }) => line);
    console.log(JSON.stringify({ seed, ...report, failures: lines, seconds }));
  } else {
    console.log(
      `${runCount} runs, ${stepCount} steps, ${cutCount} cuts, ${turnCount} turns, ${excusedCount} errors that had to be ` +
        `expected, ${failures.length} failures in ${seconds.toFixed(1)} s: ${Math.round(stepCount / seconds)} steps/s`,
    );
    console.log(
      Object.entries(runsByKind)
        .map(([name, count]) => `${name} ${count}`)
        .join(", "),
    );
  }
  return failures.length === 0 ? 0 : 1;
}

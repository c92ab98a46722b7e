// The conformance suite over the configurations that packages offer, outside a test framework. `--help` lists the options.
import { availableParallelism } from "node:os";
import process from "node:process";
import { parseArgs } from "node:util";
import { drawSubjects, subjectsOf } from "@cev/test-kit";
import { numberOf, readCommandLine } from "../../../scripts/command-line.ts";
import { runTasks } from "./pool.ts";
import { HEADING, hasPassed, jsonOf, lineOf, summaryOf } from "./report.ts";
import type { Task } from "./result.ts";
import { loadTable, tableFiles } from "./tables.ts";

const HELP = `conformance: the suite of @cev/test-kit over the configurations that the packages offer
  --all              every configuration (default: some of each package, as the tests draw them)
  --package NAME     only this package: "raid" or "@cev/raid"; may be given more than once
  --matching TEXT    only configurations with this text in their names
  --seed S           which ones are drawn (default: the time)
  --jobs N           so many processes (default: one for each processor)
  --list             names the configurations and runs nothing
  --json             the results as JSON
The result is 1 where a check failed, 2 where nothing was run.

Examples:
  pnpm conformance --package crypt
  pnpm conformance --matching raid6 --jobs 1
  pnpm conformance --all --json > conformance.json`;

const { seed, jobs, ...values } = readCommandLine("conformance", HELP, (args) => {
  const parsed = parseArgs({
    args: [...args],
    options: {
      all: { type: "boolean", default: false },
      package: { type: "string", multiple: true, default: [] },
      matching: { type: "string", default: "" },
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
      jobs: { type: "string", default: String(availableParallelism()) },
      list: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  }).values;
  if (parsed.help) return null;
  return { ...parsed, seed: numberOf("seed", parsed.seed), jobs: numberOf("jobs", parsed.jobs, 1) };
});

process.exitCode = await main();

async function main(): Promise<number> {
  const tasks = await tasksOf();
  if (tasks.length === 0) {
    console.error("there is no such configuration; --list names all");
    return 2;
  }
  if (values.list) {
    const list = tasks.map(({ package: name, configuration }) => ({ package: name, configuration }));
    if (values.json) console.log(JSON.stringify(list, null, 2));
    else for (const { package: name, configuration } of list) console.log(`${name}: ${configuration}`);
    return 0;
  }
  // With --json the progress goes where it is in nobody's way.
  const tell = values.json ? console.error : console.log;
  tell(`${tasks.length} configurations${values.all ? "" : `, drawn with --seed ${seed}`}`);
  tell(HEADING);
  const results = await runTasks(tasks, jobs, (result) => tell(lineOf(result)));
  console.log(values.json ? jsonOf(results) : summaryOf(results));
  return hasPassed(results) ? 0 : 1;
}

async function tasksOf(): Promise<readonly Task[]> {
  const wanted = values.package.map((name) => (name.startsWith("@") ? name : `@cev/${name}`));
  const tasks: Task[] = [];
  for (const file of tableFiles()) {
    if (wanted.length > 0 && !wanted.includes(file.package)) continue;
    const table = await loadTable(file);
    // Who asks for some by name wants those, whatever would have been drawn.
    const isDrawn = !values.all && values.matching === "";
    for (const { name } of isDrawn ? drawSubjects(table, seed) : subjectsOf(table))
      if (name.includes(values.matching))
        tasks.push({ package: file.package, url: file.url, configuration: name });
  }
  return tasks;
}

// A process of `pnpm conformance`: is sent configurations one by one, and answers each with what came of it.
import process from "node:process";
import { conformanceOf, subjectsOf } from "@cev/test-kit";
import type { Check } from "@cev/test-kit";
import type { FailedCheck, Task, TaskResult } from "./result.ts";
import { loadTable } from "./tables.ts";

const CHECK_DEADLINE_MS = 180_000;
const MS = 1000;

/** What was thrown where nobody waits for it, while a check was under way. */
let strays: unknown[] = [];
process.on("uncaughtException", (error) => strays.push(error));
process.on("unhandledRejection", (error) => strays.push(error));
process.on("disconnect", () => process.exit());
process.on("message", (task: Task) => void run(task).then((result) => process.send?.(result)));

async function run(task: Task): Promise<TaskResult> {
  const began = performance.now();
  const table = await loadTable(task);
  const subject = subjectsOf(table).find(({ name }) => name === task.configuration);
  if (subject === undefined) throw new Error(`${task.package} has no configuration ${task.configuration}`);
  const { checks, skipped } = conformanceOf(subject);
  const failed: FailedCheck[] = [];
  for (const check of checks) {
    const finding = await findingOf(check);
    if (finding !== null) failed.push({ theme: check.theme, name: check.name, finding });
  }
  return {
    package: task.package,
    configuration: task.configuration,
    passedCount: checks.length - failed.length,
    failed,
    skipped,
    seconds: (performance.now() - began) / MS,
  };
}

async function findingOf({ run: runCheck }: Check): Promise<string | null> {
  strays = [];
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`it did not end within ${CHECK_DEADLINE_MS / MS} seconds`)),
      CHECK_DEADLINE_MS,
    );
  });
  try {
    await Promise.race([runCheck(), late]);
  } catch (error) {
    strays.unshift(error);
  } finally {
    clearTimeout(timer);
  }
  return strays.length === 0 ? null : strays.map(textOf).join("; ");
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return process.env["CEV_STACKS"] === undefined ? error.message : (error.stack ?? error.message);
}

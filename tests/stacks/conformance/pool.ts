import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import process from "node:process";
import type { Task, TaskResult } from "./result.ts";

const WORKER = new URL("worker.ts", import.meta.url);
/** A configuration in which nothing gets on for so long never ends. */
const DEADLINE_MS = 20 * 60_000;

/** Runs tasks in so many processes; a process that dies or hangs costs the one task that it had. */
export async function runTasks(
  tasks: readonly Task[],
  processCount: number,
  onResult: (result: TaskResult) => void,
): Promise<readonly TaskResult[]> {
  const results: TaskResult[] = [];
  let next = 0;
  const workOn = async (): Promise<void> => {
    let child: ChildProcess | null = null;
    for (let task = tasks[next++]; task !== undefined; task = tasks[next++]) {
      child ??= fork(WORKER, { execArgv: process.execArgv });
      const result = await resultOf(child, task);
      if (typeof result === "string") {
        child.kill("SIGKILL");
        child = null;
      }
      results.push(typeof result === "string" ? lostResult(task, result) : result);
      onResult(results.at(-1)!);
    }
    child?.disconnect();
  };
  await Promise.all(Array.from({ length: Math.min(processCount, tasks.length) }, workOn));
  return results;
}

/** What the process answered, or why there is no answer. */
function resultOf(child: ChildProcess, task: Task): Promise<TaskResult | string> {
  return new Promise((resolve) => {
    const end = (result: TaskResult | string): void => {
      clearTimeout(timer);
      child.removeAllListeners();
      resolve(result);
    };
    const timer = setTimeout(() => end(`it did not end within ${DEADLINE_MS / 60_000} minutes`), DEADLINE_MS);
    child.on("message", (result: TaskResult) => end(result));
    child.on("error", (error) => end(error.message));
    child.on("exit", (code, signal) => end(`its process ended with ${signal ?? `code ${code}`}`));
    child.send(task);
  });
}

function lostResult(task: Task, finding: string): TaskResult {
  return {
    package: task.package,
    configuration: task.configuration,
    passedCount: 0,
    failed: [{ theme: null, name: "runs to its end", finding }],
    skipped: [],
    seconds: 0,
  };
}

import type { TaskResult } from "./result.ts";

const COLUMNS = ["passed", "failed", "skipped", "seconds"] as const;

/** One line: how a configuration fared. */
export function lineOf(result: TaskResult): string {
  const { passedCount, failed, skipped, seconds } = result;
  const cells = [passedCount, failed.length, skipped.length, seconds.toFixed(1)].map((cell, index) =>
    String(cell).padStart(COLUMNS[index]!.length),
  );
  return `${cells.join("  ")}  ${result.package}: ${result.configuration}`;
}

export const HEADING: string = COLUMNS.join("  ");

/** What failed, what was left out and why, and one line for each package and for all. */
export function summaryOf(results: readonly TaskResult[]): string {
  const lines: string[] = [];
  for (const result of results) lines.push(...failureLines(result));
  lines.push("", "Left out:");
  for (const [reason, count] of reasonsIn(results)) lines.push(`${String(count).padStart(6)}  ${reason}`);
  lines.push("", "configurations  checks  passed  failed  skipped  seconds  package");
  const packages = [...new Set(results.map((result) => result.package))].toSorted();
  for (const name of packages)
    lines.push(
      totalLine(
        results.filter((result) => result.package === name),
        name,
      ),
    );
  if (packages.length !== 1) lines.push(totalLine(results, "all"));
  return lines.join("\n");
}

/** Checks that found the same are told together: where a layer cannot be made, all of them do. */
function failureLines({ package: name, configuration, failed }: TaskResult): string[] {
  const findings = [...new Set(failed.map(({ finding }) => finding))];
  return findings.flatMap((finding) => {
    const alike = failed.filter((one) => one.finding === finding);
    const [{ theme, name: check }] = alike as [(typeof alike)[number]];
    const others = alike.length === 1 ? "" : ` (and ${alike.length - 1} more)`;
    return [`FAILED ${name}: ${configuration}: ${theme ?? "process"}: ${check}${others}`, `  ${finding}`];
  });
}

/** The results as plain data. */
export function jsonOf(results: readonly TaskResult[]): string {
  return JSON.stringify({ hasPassed: hasPassed(results), results }, null, 2);
}

export function hasPassed(results: readonly TaskResult[]): boolean {
  return results.every(({ failed }) => failed.length === 0);
}

function totalLine(results: readonly TaskResult[], name: string): string {
  const sum = (of: (result: TaskResult) => number): number =>
    results.reduce((all, result) => all + of(result), 0);
  const passed = sum(({ passedCount }) => passedCount);
  const failed = sum((result) => result.failed.length);
  const cells: [number, number | string][] = [
    [14, results.length],
    [6, passed + failed],
    [6, passed],
    [6, failed],
    [7, sum(({ skipped }) => skipped.length)],
    [7, sum(({ seconds }) => seconds).toFixed(0)],
  ];
  return `${cells.map(([width, cell]) => String(cell).padStart(width)).join("  ")}  ${name}`;
}

function reasonsIn(results: readonly TaskResult[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const { skipped } of results)
    for (const { theme, reason } of skipped) {
      const line = `${theme}: ${reason}`;
      counts.set(line, (counts.get(line) ?? 0) + 1);
    }
  return [...counts].toSorted(([, a], [, b]) => b - a);
}

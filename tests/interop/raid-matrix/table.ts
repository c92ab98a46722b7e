import { levelTitle } from "./cases.ts";
import type { Verdict, Way } from "./verdict.ts";

interface Tally {
  passed: number;
  failed: number;
}

/** Counts verdicts by level, layout and way. */
export class Tallies {
  readonly #rows = new Map<string, Map<Way, Tally>>();
  readonly #ways: readonly Way[];
  passed = 0;
  failed = 0;

  constructor(ways: readonly Way[]) {
    this.#ways = ways;
  }

  add({ way, array, failures }: Verdict): void {
    const title = `${levelTitle(array.level)} ${array.layout}`.replace(/ -$/, "");
    const row = this.#rows.get(title) ?? new Map<Way, Tally>();
    this.#rows.set(title, row);
    const tally = row.get(way) ?? { passed: 0, failed: 0 };
    row.set(way, tally);
    const isPassed = failures.length === 0;
    if (isPassed) tally.passed++;
    else tally.failed++;
    if (isPassed) this.passed++;
    else this.failed++;
  }

  /** A line for each level and layout: for every way the cases that passed of those that ran. */
  print(): string {
    const head = ["level and layout", ...this.#ways];
    const rows = [...this.#rows].map(([title, row]) => [
      title,
      ...this.#ways.map((way) => cell(row.get(way))),
    ]);
    const sums = this.#ways.map((way) => {
      const tallies = [...this.#rows.values()].map((row) => row.get(way) ?? { passed: 0, failed: 0 });
      return cell({
        passed: tallies.reduce((sum, { passed }) => sum + passed, 0),
        failed: tallies.reduce((sum, { failed }) => sum + failed, 0),
      });
    });
    const lines = [head, ...rows, ["all", ...sums]];
    const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
    return lines
      .map((line) =>
        line
          .map((text, column) => text.padEnd(widths[column]!))
          .join("  ")
          .trimEnd(),
      )
      .join("\n");
  }
}

function cell(tally: Tally | undefined): string {
  if (tally === undefined || tally.passed + tally.failed === 0) return "-";
  const { passed, failed } = tally;
  return failed === 0 ? `${passed} passed` : `${passed} passed, ${failed} FAILED`;
}

import type { Verdict, Way } from "./verdict.ts";

interface Tally {
  passed: number;
  failed: number;
}

/** Counts verdicts by segment type and way. */
export class Tallies {
  readonly #rows = new Map<string, Map<Way, Tally>>();
  readonly #ways: readonly Way[];
  passed = 0;
  failed = 0;

  constructor(ways: readonly Way[]) {
    this.#ways = ways;
  }

  add({ way, type, failures }: Verdict): void {
    const row = this.#rows.get(type) ?? new Map<Way, Tally>();
    this.#rows.set(type, row);
    const tally = row.get(way) ?? { passed: 0, failed: 0 };
    row.set(way, tally);
    if (failures.length === 0) {
      tally.passed++;
      this.passed++;
    } else {
      tally.failed++;
      this.failed++;
    }
  }

  /** A line for each type: for every way the cases that passed, and those that failed. */
  print(): string {
    const head = ["type", ...this.#ways];
    const rows = [...this.#rows].map(([type, row]) => [type, ...this.#ways.map((way) => cell([row], way))]);
    const all = [...this.#rows.values()];
    const lines = [head, ...rows, ["all", ...this.#ways.map((way) => cell(all, way))]];
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

function cell(rows: readonly ReadonlyMap<Way, Tally>[], way: Way): string {
  let passed = 0;
  let failed = 0;
  for (const row of rows) {
    passed += row.get(way)?.passed ?? 0;
    failed += row.get(way)?.failed ?? 0;
  }
  if (passed + failed === 0) return "-";
  return failed === 0 ? `${passed} passed` : `${passed} passed, ${failed} FAILED`;
}

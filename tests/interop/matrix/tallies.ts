interface Tally {
  passed: number;
  failed: number;
}

/** Counts what passed and failed, by kind and way. */
export class Tallies {
  readonly #rows = new Map<string, Map<string, Tally>>();
  readonly #title: string;
  readonly #ways: readonly string[];
  passed = 0;
  failed = 0;

  /** `title`: what the kinds are. */
  constructor(title: string, ways: readonly string[]) {
    this.#title = title;
    this.#ways = ways;
  }

  add(kind: string, way: string, isPassed: boolean): void {
    const row = this.#rows.get(kind) ?? new Map<string, Tally>();
    this.#rows.set(kind, row);
    const tally = row.get(way) ?? { passed: 0, failed: 0 };
    row.set(way, tally);
    if (isPassed) {
      tally.passed++;
      this.passed++;
    } else {
      tally.failed++;
      this.failed++;
    }
  }

  /** A line for each kind: for every way the cases that passed, and those that failed. */
  print(): string {
    const head = [this.#title, ...this.#ways];
    const rows = [...this.#rows].map(([kind, row]) => [kind, ...this.#ways.map((way) => cell([row], way))]);
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

function cell(rows: readonly ReadonlyMap<string, Tally>[], way: string): string {
  let passed = 0;
  let failed = 0;
  for (const row of rows) {
    passed += row.get(way)?.passed ?? 0;
    failed += row.get(way)?.failed ?? 0;
  }
  if (passed + failed === 0) return "-";
  return failed === 0 ? `${passed} passed` : `${passed} passed, ${failed} FAILED`;
}

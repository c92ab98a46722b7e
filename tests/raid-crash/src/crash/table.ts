import { nameOfShape } from "../shape.ts";
import type { Shape } from "../shape.ts";

interface Row {
  readonly name: string;
  runCount: number;
  cutCount: number;
  violationCount: number;
}

/** Counts by shape: runs, cuts, violations. */
export class CrashTable {
  readonly #rows = new Map<string, Row>();

  add(shape: Shape, cutCount: number, violationCount: number): void {
    const name = nameOfShape(shape);
    const row = this.#rows.get(name) ?? { name, runCount: 0, cutCount: 0, violationCount: 0 };
    row.runCount++;
    row.cutCount += cutCount;
    row.violationCount += violationCount;
    this.#rows.set(name, row);
  }

  get cutCount(): number {
    return [...this.#rows.values()].reduce((sum, row) => sum + row.cutCount, 0);
  }

  get violationCount(): number {
    return [...this.#rows.values()].reduce((sum, row) => sum + row.violationCount, 0);
  }

  /** Lines of text: a head, a line for each shape, the sum. */
  lines(): string[] {
    const rows = [...this.#rows.values()];
    const total: Row = {
      name: "all",
      runCount: rows.reduce((sum, row) => sum + row.runCount, 0),
      cutCount: this.cutCount,
      violationCount: this.violationCount,
    };
    const line = (name: string, ...numbers: readonly (number | string)[]): string =>
      name.padEnd(34) + numbers.map((number) => String(number).padStart(12)).join("");
    return [
      line("array", "runs", "cuts", "violations"),
      ...[...rows, total].map((row) => line(row.name, row.runCount, row.cutCount, row.violationCount)),
    ];
  }
}

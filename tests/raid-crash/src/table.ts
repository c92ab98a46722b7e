/** Counts in rows and columns, with their sums. */
export class Table {
  readonly #title: string;
  readonly #columns: readonly string[];
  readonly #rows = new Map<string, number[]>();

  constructor(title: string, columns: readonly string[]) {
    this.#title = title;
    this.#columns = columns;
  }

  /** Adds to the counts of a row, one for each column. */
  add(name: string, counts: readonly number[]): void {
    const row = this.#rows.get(name) ?? this.#columns.map(() => 0);
    this.#rows.set(
      name,
      row.map((count, index) => count + counts[index]!),
    );
  }

  /** The sum of a column. */
  sum(column: string): number {
    const index = this.#columns.indexOf(column);
    return [...this.#rows.values()].reduce((sum, row) => sum + row[index]!, 0);
  }

  /** Lines of text: a head, a line for each row, the sums. */
  lines(): string[] {
    const line = (name: string, cells: readonly (number | string)[]): string =>
      name.padEnd(34) + cells.map((cell) => String(cell).padStart(12)).join("");
    return [
      line(this.#title, this.#columns),
      ...[...this.#rows].map(([name, row]) => line(name, row)),
      line(
        "all",
        this.#columns.map((column) => this.sum(column)),
      ),
    ];
  }
}

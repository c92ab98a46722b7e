/** Prints tables of ratios, and afterwards each figure that was wanted beside what was reached. */
export class Report {
  readonly #only: string;
  readonly #wants: { claim: string; value: number; isMet: boolean; bound: string }[] = [];

  /** `only`: of what can be left out, what has this in its name is measured. */
  constructor(only = "") {
    this.#only = only;
  }

  /** False for what was not asked for. */
  includes(name: string): boolean {
    return name.includes(this.#only);
  }

  title(text: string): void {
    console.log(`\n${text}\n`);
  }

  row(...cells: readonly string[]): void {
    console.log(cells.map((cell) => cell.padStart(15)).join(" "));
  }

  /** A figure with the bound it should keep. */
  want(claim: string, value: number, relation: "at most" | "at least", bound: number): void {
    const isMet = relation === "at most" ? value <= bound : value >= bound;
    this.#wants.push({ claim, value, isMet, bound: `${relation} ${bound}` });
  }

  /** Prints all wanted figures. Returns how many were not reached. */
  summary(): number {
    console.log("\nWanted, and reached\n");
    for (const { claim, value, isMet, bound } of this.#wants) {
      console.log(`${isMet ? "  met " : "SHORT "} ${value.toFixed(2).padStart(9)}  (${bound})  ${claim}`);
    }
    return this.#wants.filter(({ isMet }) => !isMet).length;
  }
}

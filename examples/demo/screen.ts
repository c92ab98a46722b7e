/** Lines that are drawn again and again: in place on a terminal; elsewhere only when they have changed. */
export class Screen {
  #lines: readonly string[] = [];

  draw(lines: readonly string[]): void {
    const isFirst = this.#lines.length === 0;
    if (!isFirst && lines.join("\n") === this.#lines.join("\n")) return;
    const up = process.stdout.isTTY && !isFirst ? `\u001b[${this.#lines.length}A` : "";
    const erase = process.stdout.isTTY ? "\u001b[K" : "";
    process.stdout.write(`${up}${lines.map((line) => `${erase}${line}\n`).join("")}`);
    this.#lines = lines;
  }
}

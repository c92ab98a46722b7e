import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Interface } from "node:readline";
import { fileURLToPath } from "node:url";

/** What is measured: XOR, both parities, two lost sources from both parities and the others. */
export type ParityOperation = "p" | "pq" | "recover";

/** One measurement: the fastest of so many slices of so many calls each. */
export interface Slices {
  readonly operation: ParityOperation;
  /** What is read: data, or for `recover` the data that is left and both parities. */
  readonly sourceCount: number;
  /** Bytes of each source. */
  readonly length: number;
  readonly sliceCount: number;
  readonly callCount: number;
}

/** ISA-L in a process of its own. */
export class Isal implements AsyncDisposable {
  readonly #directory: string;
  readonly #child: ChildProcess;
  readonly #answers: Interface;
  readonly #ended: Promise<unknown>;

  private constructor(directory: string, binary: string) {
    this.#directory = directory;
    this.#child = spawn(binary, { stdio: ["pipe", "pipe", "inherit"] });
    this.#answers = createInterface(this.#child.stdout!);
    this.#ended = new Promise((resolve) => this.#child.once("exit", resolve));
  }

  /** Compiles and starts it, or says why that cannot be. */
  static start(): Isal | string {
    const directory = mkdtempSync(join(tmpdir(), "cev-bench-"));
    const binary = join(directory, "isal");
    const source = fileURLToPath(new URL("isal.c", import.meta.url));
    const compiled = spawnSync("cc", ["-O2", "-o", binary, source, "-lisal"], { encoding: "utf8" });
    if (compiled.status === 0) return new Isal(directory, binary);
    rmSync(directory, { recursive: true });
    return compiled.error === undefined ? compiled.stderr.trim() : "there is no C compiler";
  }

  /** Nanoseconds of one call. */
  async measure(slices: Slices): Promise<number> {
    const { operation, sourceCount, length, sliceCount, callCount } = slices;
    const answer = new Promise<string>((resolve) => this.#answers.once("line", resolve));
    this.#child.stdin!.write(`${operation} ${sourceCount} ${length} ${sliceCount} ${callCount}\n`);
    return Number(await answer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin!.end();
    await this.#ended;
    rmSync(this.#directory, { recursive: true });
  }
}

import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Interface } from "node:readline";
import { fileURLToPath } from "node:url";

/** A native library that cev is compared with, in a process of its own: a C program that answers every line with one. */
export class NativePeer implements AsyncDisposable {
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

  /** Compiles and starts it, or says why that cannot be. `library`: what it is linked with, as `-l` takes it. */
  static start(source: URL, library: string): NativePeer | string {
    const directory = mkdtempSync(join(tmpdir(), "cev-bench-"));
    const binary = join(directory, "peer");
    const words = ["-O2", "-o", binary, fileURLToPath(source), `-l${library}`];
    const compiled = spawnSync("cc", words, { encoding: "utf8" });
    if (compiled.status === 0) return new NativePeer(directory, binary);
    rmSync(directory, { recursive: true });
    return compiled.error === undefined ? compiled.stderr.trim() : "there is no C compiler";
  }

  /** The number that it answers to these words. One question at a time. */
  async ask(...words: readonly (string | number)[]): Promise<number> {
    const answer = new Promise<string>((resolve) => this.#answers.once("line", resolve));
    this.#child.stdin!.write(`${words.join(" ")}\n`);
    return Number(await answer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin!.end();
    await this.#ended;
    rmSync(this.#directory, { recursive: true });
  }
}

import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Interface } from "node:readline";
import { fileURLToPath } from "node:url";

/** One measurement: the fastest of so many slices of so many calls each. */
export interface EvpSlices {
  /** As OpenSSL calls it. */
  readonly cipher: string;
  readonly direction: "encrypt" | "decrypt";
  /** Bytes of one call. */
  readonly length: number;
  readonly sliceCount: number;
  readonly callCount: number;
}

/** The system's OpenSSL in a process of its own. */
export class Evp implements AsyncDisposable {
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
  static start(): Evp | string {
    const directory = mkdtempSync(join(tmpdir(), "cev-bench-"));
    const binary = join(directory, "evp");
    const source = fileURLToPath(new URL("evp.c", import.meta.url));
    const compiled = spawnSync("cc", ["-O2", "-o", binary, source, "-lcrypto"], { encoding: "utf8" });
    if (compiled.status === 0) return new Evp(directory, binary);
    rmSync(directory, { recursive: true });
    return compiled.error === undefined ? compiled.stderr.trim() : "there is no C compiler";
  }

  /** Nanoseconds of one call. */
  async measure({ cipher, direction, length, sliceCount, callCount }: EvpSlices): Promise<number> {
    const answer = new Promise<string>((resolve) => this.#answers.once("line", resolve));
    this.#child.stdin!.write(`${cipher} ${direction} ${length} ${sliceCount} ${callCount}\n`);
    return Number(await answer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin!.end();
    await this.#ended;
    rmSync(this.#directory, { recursive: true });
  }
}

import { startProgram } from "../black-box/servers.ts";
import type { RunningServer } from "../black-box/servers.ts";

/** A server that is killed and started again at the same address. */
export class MortalServer implements AsyncDisposable {
  readonly #words: readonly string[];
  readonly #socket: string;
  #running: RunningServer | null = null;
  killCount = 0;

  constructor(words: readonly string[], socket: string) {
    this.#words = words;
    this.#socket = socket;
  }

  get pid(): number {
    if (this.#running === null) throw new Error("the server does not run");
    return this.#running.pid;
  }

  async start(): Promise<void> {
    this.#running = await startProgram(this.#words, { socket: this.#socket });
  }

  /** Ends it at once, wherever it is. */
  async kill(): Promise<void> {
    this.killCount++;
    process.kill(this.pid, "SIGKILL");
    await this[Symbol.asyncDispose]();
  }

  signal(signal: "SIGSTOP" | "SIGCONT" | "SIGUSR1" | "SIGUSR2"): void {
    process.kill(this.pid, signal);
  }

  said(): string {
    return this.#running?.said() ?? "";
  }

  /** Ends it in good order, if it runs. */
  async [Symbol.asyncDispose](): Promise<void> {
    const running = this.#running;
    this.#running = null;
    await running?.[Symbol.asyncDispose]();
  }
}

import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("member-server.ts", import.meta.url));

/** An NBD server in a process of its own. */
export class MemberProcess implements AsyncDisposable {
  readonly uri: string;
  readonly #words: readonly string[];
  #child: ChildProcess | null = null;

  constructor(image: string, socket: string) {
    this.uri = `nbd+unix:///?socket=${socket}`;
    this.#words = [...process.execArgv, PROGRAM, image, socket];
  }

  /** Resolves once it takes connections. */
  async start(): Promise<void> {
    const child = spawn(process.execPath, this.#words, { stdio: ["ignore", "pipe", "inherit"] });
    this.#child = child;
    const ended = once(child, "exit").then(() => {
      throw new Error("the server ended before it was ready");
    });
    await Promise.race([once(child.stdout, "data"), ended]);
    // That it ends later on is no accident.
    ended.catch(() => undefined);
  }

  /** At once, with whatever it was doing. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child?.exitCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { connect } from "node:net";

/** A server that runs until it is told to stop. */
export class RunningServer {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#ended = new Promise((resolve) => child.once("close", () => resolve()));
  }

  /** Starts a program, and waits until its socket takes connections. */
  static async start(command: readonly string[], socket: string): Promise<RunningServer> {
    let said = "";
    const child = spawn(command[0]!, command.slice(1), { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => (said = `${said}${text}`.slice(-2000)));
    child.on("error", (error) => (said += error.message));
    const server = new RunningServer(child);
    for (let tries = 0; tries < 400; tries++) {
      if (await takesConnections(socket)) return server;
      if (child.exitCode !== null) break;
      await later(50);
    }
    await server.stop();
    throw new Error(`${command[0]!} does not serve: ${said}`);
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 5000);
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.#ended;
    clearTimeout(timer);
  }
}

function takesConnections(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

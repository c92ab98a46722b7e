import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { run } from "./run.ts";
import type { RunOptions, RunResult } from "./run.ts";
import { SOURCE_WORDS } from "../../../scripts/run-source.ts";

/** As a test run puts it into one file; else the sources. */
const BIN =
  process.env["CEV_BIN"] ??
  fileURLToPath(new URL("src/bin.ts", import.meta.resolve("@cev/cli/package.json")));
/** The `cev` command from its sources, behind Node. */
export const CEV_COMMAND: readonly string[] = [...SOURCE_WORDS, BIN];

/** One device, as `cev inspect --json` shows it. */
export interface InspectedDevice {
  readonly name: string;
  readonly driver: string;
  readonly size: number;
  readonly blockSize: number;
  readonly lowers: readonly string[];
  readonly state: string;
  readonly details: Readonly<Record<string, unknown>>;
}

export interface Inspection extends RunResult {
  readonly devices: readonly InspectedDevice[];
  /** What was said of each problem, as text. */
  readonly problems: readonly string[];
}

/** Runs the `cev` command from its sources. */
export function cev(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return run(process.execPath, [...CEV_COMMAND, ...args], options);
}

/** `cev inspect --json`, read. */
export async function inspect(args: readonly string[]): Promise<Inspection> {
  const result = await cev(["inspect", "--json", ...args]);
  if (result.stdout === "") return { ...result, devices: [], problems: [] };
  const { devices, problems } = JSON.parse(result.stdout) as {
    devices: InspectedDevice[];
    problems: unknown[];
  };
  return {
    ...result,
    devices,
    problems: problems.map((problem) => (typeof problem === "string" ? problem : JSON.stringify(problem))),
  };
}

/** The size and hash of what `cev copy --to -` puts out. */
export async function hashDevice(
  device: string,
  args: readonly string[],
): Promise<{ size: number; sha256: string; status: number; stderr: string }> {
  const hash = createHash("sha256");
  let size = 0;
  const onOutput = (bytes: Buffer): void => {
    hash.update(bytes);
    size += bytes.length;
  };
  const { status, stderr } = await cev(["copy", ...args, "--device", device, "--to", "-"], { onOutput });
  return { size, sha256: hash.digest("hex"), status, stderr };
}

/** A running `cev serve`. */
export class Server implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #ended: Promise<RunResult>;
  #stdout = "";

  private constructor(child: ChildProcess) {
    this.#child = child;
    let stderr = "";
    child.stdout!.setEncoding("utf8").on("data", (text: string) => (this.#stdout += text));
    child.stderr!.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    this.#ended = new Promise<RunResult>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code) => resolve({ status: code ?? -1, stdout: this.#stdout, stderr }));
    });
  }

  /** Starts `cev serve` on a Unix socket, and waits until it can be connected to. */
  static async onSocket(socket: string, args: readonly string[]): Promise<Server> {
    const server = Server.#start([...args, "--socket", socket]);
    // The socket's file is there a moment before it takes connections.
    await server.#until(() => server.#stdout.includes("\nready; "));
    return server;
  }

  /** Starts `cev serve` on a TCP port that is free, and waits until it takes connections. */
  static async onPort(args: readonly string[]): Promise<Server> {
    const server = Server.#start([...args, "--listen", "127.0.0.1:0"]);
    await server.#until(() => server.#stdout.includes("\nready; "));
    return server;
  }

  /** The TCP port that it listens at. */
  get port(): number {
    return Number(/nbd:\/\/127\.0\.0\.1:(\d+)\//.exec(this.#stdout)?.[1]);
  }

  /** Asks it to end, and gives what it said. */
  async stop(signal: "SIGINT" | "SIGTERM" = "SIGTERM"): Promise<RunResult> {
    this.#child.kill(signal);
    return this.#ended;
  }

  /** Ends it at once, as a crash would. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  static #start(args: readonly string[]): Server {
    const child = spawn(process.execPath, [...CEV_COMMAND, "serve", ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    return new Server(child);
  }

  async #until(isReady: () => boolean): Promise<void> {
    for (let tries = 0; tries < 4000; tries++) {
      if (isReady()) return;
      const ended = await Promise.race([this.#ended, later(50)]);
      if (ended !== undefined)
        throw new Error(`cev serve ended with ${ended.status}: ${ended.stdout}${ended.stderr}`);
    }
    this.#child.kill("SIGKILL");
    throw new Error("cev serve was not ready after 200 seconds");
  }
}

function later(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(resolve, ms, undefined));
}

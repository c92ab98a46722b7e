/** A directory of somebody who has never heard of this repository: an empty home, and a registry with the packed packages. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { LocalRegistry } from "@cev/tests-smoke/registry";

// What new layers ask for beside the packages of this repository, by their folders in its `node_modules`.
const NEEDED = ["typescript7", "@types/node"];

/** How a command ended, and all it printed. */
export interface Outcome {
  readonly status: number | null;
  readonly output: string;
}

/** A program that goes on until it is stopped. */
export interface Background {
  readonly output: () => string;
  readonly stop: () => Promise<Outcome>;
}

export class CleanDirectory implements AsyncDisposable {
  readonly folder: string;
  readonly #registry: LocalRegistry;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #running = new Set<ChildProcess>();

  private constructor(registry: LocalRegistry) {
    this.#registry = registry;
    this.folder = realpathSync(mkdtempSync(join(tmpdir(), "cev-clean-")));
    const home = join(this.folder, ".home");
    mkdirSync(home);
    this.#environment = {
      PATH: `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`,
      HOME: home,
      npm_config_registry: registry.url,
      npm_config_cache: join(home, "npm"),
      npm_config_update_notifier: "false",
      npm_config_audit: "false",
      npm_config_fund: "false",
      NO_COLOR: "1",
      // The same programs are started again and again.
      NODE_COMPILE_CACHE: join(home, "compiled"),
    };
  }

  static async make(): Promise<CleanDirectory> {
    return new CleanDirectory(await LocalRegistry.start(NEEDED));
  }

  /** Runs a command line in the directory, or in a folder of it, with a shell. */
  run(command: string, folder = "."): Promise<Outcome> {
    return outcomeOf(this.#spawn(command, folder));
  }

  /** Starts one that goes on. */
  start(command: string, folder = "."): Background {
    const child = this.#spawn(command, folder);
    let seen = "";
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (text) => (seen += String(text)));
    const outcome = outcomeOf(child);
    return {
      output: () => seen,
      stop: () => {
        signalGroup(child, "SIGTERM");
        return outcome;
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#running) signalGroup(child, "SIGKILL");
    await this.#registry[Symbol.asyncDispose]();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A group of its own, so that it ends with all that it started. */
  #spawn(command: string, folder: string): ChildProcess {
    const child = spawn("sh", ["-c", command], {
      cwd: join(this.folder, folder),
      env: this.#environment,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#running.add(child);
    child.on("exit", () => this.#running.delete(child));
    return child;
  }
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    // It has ended by itself.
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

function outcomeOf(child: ChildProcess): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (text) => (output += String(text)));
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, output }));
  });
}

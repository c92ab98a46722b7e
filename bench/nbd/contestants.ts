import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** A server of one export, in a process of its own. */
export interface Contestant {
  readonly name: string;
  readonly uri: string;
  /** Of its Unix socket. */
  readonly path: string;
  /** Of the server itself: where it went into the background, not of what was started. */
  readonly pid: number;
}

/** How a server is started. */
export interface ServerCommand {
  readonly name: string;
  /** Of its Unix socket. */
  readonly path: string;
  readonly command: readonly string[];
  /** Of the export; the default one is meant where it is left out. */
  readonly exportName?: string;
  /** Where a server that goes into the background tells its process. */
  readonly pidFile?: string;
}

/** Starts a server, and waits for its socket. Null, and a line that says so, where it is not installed. */
export async function startServer(server: ServerCommand): Promise<Contestant | null> {
  const { name, path, exportName = "", pidFile } = server;
  const [command, ...args] = server.command;
  const child = spawn(command!, args, { stdio: ["ignore", "ignore", "inherit"] });
  const failed = new Promise<boolean>((resolve) => child.once("error", () => resolve(true)));
  const isReady = (): boolean => existsSync(path) && (pidFile === undefined || existsSync(pidFile));
  for (let attempt = 0; attempt < 200 && !isReady(); attempt++) {
    if (await Promise.race([failed, sleep(50).then(() => false)])) {
      console.log(`${name} is not installed, and left out`);
      return null;
    }
  }
  if (!isReady()) throw new Error(`${name} has made no socket`);
  return { name, path, uri: `nbd+unix:///${exportName}?socket=${path}`, pid: pidOf(child, pidFile) };
}

function pidOf(child: ChildProcess, pidFile: string | undefined): number {
  return pidFile === undefined ? child.pid! : Number(readFileSync(pidFile, "utf8"));
}

/** Ends a server, and waits until it is gone. */
export async function stopServer({ pid }: Contestant): Promise<void> {
  for (let attempt = 0; attempt < 200 && signal(pid, attempt === 0 ? "SIGTERM" : 0); attempt++)
    await sleep(20);
}

/** False: there is no such process any more. */
function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** A server of one export in memory, in a process of its own. */
export interface Contestant {
  readonly name: string;
  readonly uri: string;
  readonly child: ChildProcess;
}

/** The servers that run side by side, of equal size. */
export class Contestants {
  readonly all: Contestant[] = [];
  readonly #directory = mkdtempSync(join(tmpdir(), "cev-bench-"));
  // Where files live in memory, the peer that serves a file is not slowed down by a disk.
  readonly #memory = existsSync("/dev/shm") ? mkdtempSync("/dev/shm/cev-bench-") : this.#directory;

  /** Starts those that are installed. Sizes are bytes. */
  async start(size: number): Promise<void> {
    const serve = fileURLToPath(new URL("serve.ts", import.meta.url));
    await this.#start("cev", (path) => [process.execPath, serve, path, String(size)]);
    await this.#start("nbdkit", (path) => ["nbdkit", "-f", "-U", path, "memory", String(size)]);
    const image = join(this.#memory, "image");
    await this.#start("qemu-nbd", (path) => {
      writeFileSync(image, new Uint8Array(0));
      spawnSync("truncate", ["-s", String(size), image]);
      return ["qemu-nbd", "-t", "-f", "raw", "-e", "64", "-x", "", "--discard=unmap", "-k", path, image];
    });
  }

  find(name: string): Contestant {
    return this.all.find((each) => each.name === name)!;
  }

  async stop(): Promise<void> {
    for (const contestant of this.all) await stopServer(contestant);
    rmSync(this.#directory, { recursive: true });
    rmSync(this.#memory, { recursive: true, force: true });
  }

  async #start(name: string, commandOf: (path: string) => readonly string[]): Promise<void> {
    const path = join(this.#directory, `${name}.sock`);
    const contestant = await startServer(name, path, commandOf(path));
    if (contestant !== null) this.all.push(contestant);
  }
}

/** Ends a server, and waits until it is gone. */
export async function stopServer({ child }: Contestant): Promise<void> {
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await ended;
}

/** Starts a server, and waits for its socket. Null, and a line that says so, where it is not installed. */
export async function startServer(
  name: string,
  path: string,
  [command, ...args]: readonly string[],
): Promise<Contestant | null> {
  const child = spawn(command!, args, { stdio: ["ignore", "ignore", "inherit"] });
  const failed = new Promise<boolean>((resolve) => child.once("error", () => resolve(true)));
  for (let attempt = 0; attempt < 200 && !existsSync(path); attempt++) {
    if (await Promise.race([failed, sleep(50).then(() => false)])) {
      console.log(`${name} is not installed, and left out`);
      return null;
    }
  }
  return { name, uri: `nbd+unix:///?socket=${path}`, child };
}

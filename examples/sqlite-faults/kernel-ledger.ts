import { spawn } from "node:child_process";
import { existsSync, mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ended, output } from "./host.ts";

const IMAGE_SIZE = 64 * (1 << 20);
const TRANSACTIONS_MAX = 2000;
const CEV = fileURLToPath(new URL("src/bin.ts", import.meta.resolve("@cev/cli/package.json")));

/** A ledger in a file on ext4, in an image. */
export class KernelLedger {
  readonly #folder: string;
  readonly #image: string;
  readonly #mountPoint: string;
  readonly #file: string;

  private constructor(folder: string) {
    this.#folder = folder;
    this.#image = join(folder, "disk.img");
    this.#mountPoint = join(folder, "mnt");
    this.#file = join(this.#mountPoint, "ledger.db");
  }

  static async make(folder: string): Promise<KernelLedger> {
    const ledger = new KernelLedger(folder);
    mkdirSync(ledger.#mountPoint);
    mkdirSync(join(folder, "fuse"));
    writeFileSync(ledger.#image, "");
    truncateSync(ledger.#image, IMAGE_SIZE);
    await output("mkfs.ext4", [
      "-q",
      "-b",
      "4096",
      "-E",
      "lazy_itable_init=0,lazy_journal_init=0",
      ledger.#image,
    ]);
    await ledger.#mounted(ledger.#image, ["-o", "loop"], async () => {
      await ledger.#sqlite("CREATE TABLE entry (number INTEGER PRIMARY KEY, note TEXT NOT NULL);");
    });
    return ledger;
  }

  /** Mounts the image itself, which replays the journals. Returns the number of the last entry; throws what is wrong. */
  async check(): Promise<number> {
    let count = 0;
    await this.#mounted(this.#image, ["-o", "loop"], async () => {
      const { stdout, stderr } = await this.#sqlite(
        "PRAGMA integrity_check; SELECT count(*) = coalesce(max(number), 0), count(*) FROM entry;",
      );
      const found = /^ok\n1\|(\d+)$/u.exec(stdout.trim());
      if (found === null) throw new Error(`the database is not what it was: ${stdout}${stderr}`);
      count = Number(found[1]);
    });
    const { status, stdout } = await ended("e2fsck", ["-fn", this.#image]);
    if (status !== 0) throw new Error(`the file system is not sound: ${stdout}`);
    return count;
  }

  /** Adds entries, each in a transaction of its own, until the power goes. Returns what cev tells of it, and the last one acknowledged. */
  async workUntilTheCut(cut: {
    readonly seed: number;
    readonly cutAfterWrites: number;
    readonly from: number;
  }): Promise<{ readonly told: string; readonly acknowledged: number }> {
    const stack = join(this.#folder, "stack.yaml");
    const { seed, cutAfterWrites } = cut;
    // ext4 counts on its blocks to be written whole.
    writeFileSync(
      stack,
      `devices:
  d0: { driver: "@cev/hw-file", path: disk.img }
  cut: { driver: "@cev/test-kit/power-cut", lower: d0, seed: ${seed}, cutAfterWrites: ${cutAfterWrites}, atomicLength: 4096 }
exports:
  disk: cut
`,
    );
    let acknowledged = cut.from - 1;
    const told = await this.#served(stack, async (loop) => {
      await this.#mounted(loop, [], async () => {
        const numbers = Array.from({ length: TRANSACTIONS_MAX }, (_, index) => cut.from + index);
        const work = numbers.map(
          (number) =>
            `INSERT INTO entry VALUES (${number}, printf('%.*c', ${(number * 37) % 900}, 'x')); SELECT ${number};`,
        );
        const { stdout } = await this.#sqlite(`PRAGMA synchronous = extra;\n${work.join("\n")}`);
        acknowledged = Number(stdout.trim().split("\n").at(-1) ?? acknowledged) || acknowledged;
      });
    });
    return { told, acknowledged };
  }

  async #sqlite(sql: string): Promise<{ readonly stdout: string; readonly stderr: string }> {
    return ended("sqlite3", ["-bail", "-batch", this.#file], sql);
  }

  /** A file system whose device is gone is let go all the same. */
  async #mounted(source: string, options: readonly string[], work: () => Promise<void>): Promise<void> {
    await output("mount", ["-t", "ext4", ...options, source, this.#mountPoint]);
    try {
      await work();
    } finally {
      await output("umount", [this.#mountPoint]);
    }
  }

  /** Shows what `cev serve` makes of a stack file as a loop device. Returns the first line that it said. */
  async #served(stack: string, work: (loop: string) => Promise<void>): Promise<string> {
    const socket = join(this.#folder, "s");
    const server = spawn(process.execPath, [...process.execArgv, CEV, "serve", stack, "--socket", socket], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let said = "";
    server.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
    let told = "";
    server.stderr.setEncoding("utf8").on("data", (text: string) => (told += text));
    const serverEnded = once(server, "close");
    try {
      await until(() => said.includes("ready; "), "cev serve");
      const file = join(this.#folder, "fuse", "disk");
      const fuse = spawn("nbdfuse", [file, `nbd+unix:///disk?socket=${socket}`], { stdio: "ignore" });
      const fuseEnded = once(fuse, "close");
      await until(() => existsSync(file), "nbdfuse");
      const loop = await output("losetup", ["--find", "--show", file]);
      try {
        await work(loop);
      } finally {
        await output("losetup", ["--detach", loop]);
        await output("umount", [join(this.#folder, "fuse")]);
        await fuseEnded;
      }
    } finally {
      server.kill();
      await serverEnded;
    }
    // The rest is what cev says of a device that is off when it ends.
    return told.split("\n", 1)[0] ?? "";
  }
}

async function until(isReady: () => boolean, what: string): Promise<void> {
  for (let tries = 0; tries < 2400; tries++) {
    if (isReady()) return;
    await sleep(50);
  }
  throw new Error(`${what} did not come up`);
}

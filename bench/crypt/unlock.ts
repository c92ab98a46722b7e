import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { closeTree, environmentFrom, openTree } from "@cev/core";
import { luksTestPassphrase } from "@cev/crypt";
import { FileLayer } from "@cev/hw-file";
import { median } from "../measure.ts";
import type { Report } from "../report.ts";

const ROUNDS = 5;
const PASSPHRASE = "correct horse battery staple";

/** Keyslots as cryptsetup makes them; the last one is its default where there is memory for it. */
const KEYSLOTS = [
  { name: "pbkdf2, 4 million", args: "--pbkdf pbkdf2 --pbkdf-force-iterations 4000000" },
  {
    name: "argon2id, 256 MiB",
    args: "--pbkdf argon2id --pbkdf-force-iterations 4 --pbkdf-memory 262144 --pbkdf-parallel 4",
  },
  {
    name: "argon2id, 1 GiB",
    args: "--pbkdf argon2id --pbkdf-force-iterations 4 --pbkdf-memory 1048576 --pbkdf-parallel 4",
  },
];

/** How long a passphrase takes to open a keyslot, beside cryptsetup and the same header. */
export async function benchUnlock(report: Report): Promise<void> {
  report.title("Unlocking (time in units of cryptsetup's, which starts as a program each time)");
  report.row("keyslot", "milliseconds", "ratio", "with a signal");
  const folder = mkdtempSync(join(tmpdir(), "cev-bench-unlock-"));
  try {
    for (const { name, args } of KEYSLOTS) {
      const path = join(folder, "device.img");
      writeFileSync(path, "");
      truncateSync(path, 20 << 20);
      cryptsetup(["luksFormat", "--batch-mode", "--disable-locks", ...args.split(" "), path, "-"]);
      const { plain, cancellable, took } = await unlockRatios(path);
      report.row(name, took.toFixed(0), plain.toFixed(2), cancellable.toFixed(2));
      report.want(`unlocking ${name}, beside cryptsetup`, plain, "at most", 1.3);
      report.want(`unlocking ${name} with a signal, beside cryptsetup`, cancellable, "at most", 1.3);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function unlockRatios(path: string): Promise<{ plain: number; cancellable: number; took: number }> {
  const environment = environmentFrom(globalThis);
  const file = await FileLayer.at(environment, { path });
  await openTree(file);
  const { signal } = new AbortController();
  const keys = [Buffer.from(PASSPHRASE)];
  const [plain, cancellable, times]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round < ROUNDS; round++) {
    const peer = await timed(() => {
      cryptsetup(["open", "--test-passphrase", "--disable-locks", "--key-file", "-", path]);
    });
    const own = await timed(() => luksTestPassphrase(file, { environment, keys }));
    times.push(own);
    plain.push(own / peer);
    cancellable.push((await timed(() => luksTestPassphrase(file, { environment, keys, signal }))) / peer);
  }
  await closeTree(file);
  return { plain: median(plain), cancellable: median(cancellable), took: median(times) };
}

function cryptsetup(args: readonly string[]): void {
  const { status, stderr } = spawnSync("cryptsetup", args, { input: PASSPHRASE });
  if (status !== 0) throw new Error(`cryptsetup ${args[0]} failed: ${stderr.toString("utf8")}`);
}

async function timed(work: () => unknown): Promise<number> {
  const begin = performance.now();
  await work();
  return performance.now() - begin;
}

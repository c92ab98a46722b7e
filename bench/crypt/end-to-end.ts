import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { median } from "../measure.ts";
import { startServer, stopServer } from "../nbd/contestants.ts";
import type { Contestant } from "../nbd/contestants.ts";
import { fioLoad, fioSequentialLoad, nbdcopyLoad } from "../nbd/loads.ts";
import type { Load, Sample } from "../nbd/loads.ts";
import type { Report } from "../report.ts";

const MIB = 1 << 20;
const SIZE = 256 * MIB;
// Where cryptsetup puts the data of a LUKS1 device with such keys.
const HEADER_LENGTH = 2 * MIB;
const ROUNDS = 5;
const PASSPHRASE = "correct horse battery staple";
const PEERS = ["qemu-nbd", "nbdkit"];

/** One LUKS1 image over NBD: `cev serve`, qemu-nbd, and nbdkit with its luks filter, each on a copy in memory. */
export async function benchEndToEnd(report: Report): Promise<void> {
  report.title(
    "A LUKS1 image over a Unix socket: cev's throughput in units of each peer's; server time per unit likewise",
  );
  const folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "cev-bench-"));
  const contestants: Contestant[] = [];
  try {
    const image = makeImage(folder);
    if (typeof image !== "string") return console.log(`not measured: ${image.why}`);
    for (const [name, commandOf] of Object.entries(serversOf(folder))) {
      const copy = join(folder, `${name}.img`);
      copyFileSync(image, copy);
      const path = join(folder, `${name}.sock`);
      const contestant = await startServer({ name, path, command: commandOf(copy, path) });
      if (contestant !== null) contestants.push(contestant);
    }
    const source = join(folder, "source");
    writeFileSync(source, randomBytes(SIZE));
    report.row(...PEERS, ...PEERS.map((name) => `time: ${name}`));
    for (const each of loads(source)) if (report.includes(each.load.name)) compare(report, contestants, each);
  } finally {
    for (const contestant of contestants) await stopServer(contestant);
    rmSync(folder, { recursive: true });
  }
}

function loads(source: string): { load: Load; isWanted: boolean }[] {
  return [
    ...(["read", "write"] as const).flatMap((direction) => [
      { load: fioSequentialLoad(direction, 16), isWanted: true },
      { load: fioSequentialLoad(direction, 4), isWanted: false },
      { load: fioLoad(direction, 16), isWanted: true },
      { load: fioLoad(direction, 64), isWanted: false },
    ]),
    { load: nbdcopyLoad("read", source, SIZE), isWanted: false },
    { load: nbdcopyLoad("write", source, SIZE), isWanted: false },
  ];
}

/** Runs a load on all in turn, round after round, so that a noisy minute hits all alike. */
function compare(
  report: Report,
  contestants: readonly Contestant[],
  { load, isWanted }: { load: Load; isWanted: boolean },
): void {
  const samples = new Map<string, Sample[]>(contestants.map(({ name }) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const { name, uri, pid } of contestants) samples.get(name)!.push(load.run(uri, pid));
  }
  const own = samples.get("cev")!;
  const ratio = (peer: string, pick: (sample: Sample) => number): number =>
    median((samples.get(peer) ?? []).map((sample, round) => pick(own[round]!) / pick(sample)));
  const throughputs = PEERS.map((peer) => ratio(peer, ({ perSecond }) => perSecond));
  const times = PEERS.map((peer) => ratio(peer, ({ serverTime }) => serverTime));
  report.row(...[...throughputs, ...times].map((value) => value.toFixed(2)), load.name);
  for (const [index, peer] of PEERS.entries()) {
    if (isWanted && samples.has(peer))
      report.want(`LUKS1 over NBD, ${load.name}: cev to ${peer}`, throughputs[index]!, "at least", 1);
  }
}

function serversOf(folder: string): Record<string, (image: string, path: string) => readonly string[]> {
  const passphrase = join(folder, "passphrase");
  writeFileSync(passphrase, PASSPHRASE);
  return {
    cev: (image, path) => [
      ...cevCommand(),
      "serve",
      image,
      "--passphrase-file",
      passphrase,
      "--socket",
      path,
    ],
    "qemu-nbd": (image, path) => [
      ...["qemu-nbd", "-t", "-e", "8", "-x", "", "-k", path],
      ...["--object", `secret,id=key,file=${passphrase}`],
      ...["--image-opts", `driver=luks,key-secret=key,file.driver=file,file.filename=${image}`],
    ],
    nbdkit: (image, path) => [
      ...["nbdkit", "-f", "-U", path, "--filter=luks", "file", image, `passphrase=+${passphrase}`],
    ],
  };
}

/** The command as it was built, or from its sources where this program runs from its own. */
function cevCommand(): readonly string[] {
  const flags = process.execArgv.filter((flag) => flag.startsWith("--conditions="));
  const file = flags.length > 0 ? "src/bin.ts" : "dist/bin.js";
  return [process.execPath, ...flags, join(import.meta.dirname, "../../packages/cli", file)];
}

/** A LUKS1 device with a key of 512 bits, every block of it written once. */
function makeImage(folder: string): string | { readonly why: string } {
  const path = join(folder, "luks1.img");
  const file = openSync(path, "w");
  const noise = randomBytes(MIB);
  for (let at = 0; at < HEADER_LENGTH + SIZE; at += MIB) writeSync(file, noise);
  closeSync(file);
  const options = "--type luks1 --cipher aes-xts-plain64 --key-size 512 --pbkdf-force-iterations 1000";
  const args = ["luksFormat", "--batch-mode", "--disable-locks", ...options.split(" "), path, "-"];
  const { error, status, stderr } = spawnSync("cryptsetup", args, { input: PASSPHRASE, encoding: "utf8" });
  return status === 0 ? path : { why: `cryptsetup: ${error?.message ?? stderr}` };
}

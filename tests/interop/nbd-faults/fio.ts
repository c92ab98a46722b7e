import { run } from "../src/run.ts";
import type { Random } from "../src/random.ts";

/** Bytes that one job of fio writes. */
const JOB_LENGTH = 16_777_216;
const JOBS_MAX = 2;
/** From the beginning of a disk on. */
export const FIO_LENGTH: number = JOB_LENGTH * JOBS_MAX;
const HANG_MS = 400_000;

/** Where fio works: a server, or what lies under it. */
type FioTarget = { readonly socket: string } | { readonly file: string };

/** A part of a disk, written once in random order. */
interface FioPass {
  readonly depth: number;
  readonly jobs: number;
  /** A flush after so many writes; 0: none. */
  readonly fsync: number;
  readonly seed: number;
}

export function chooseFioPass(random: Random): FioPass {
  return {
    depth: random.pick([1, 8, 32, 32]),
    jobs: 1 + random.below(JOBS_MAX),
    fsync: random.pick([0, 8, 64]),
    seed: 1 + random.below(2 ** 30),
  };
}

/** Writes a pass, checks it while it goes on, and reads it again from the beginning. Gives the bytes that were checked. */
export async function writeAndVerify(
  target: FioTarget,
  pass: FioPass,
  options: { readonly endsWithFlush?: boolean } = {},
): Promise<number> {
  const words = ["--verify_backlog=64", ...(pass.fsync === 0 ? [] : [`--fsync=${pass.fsync}`])];
  if (options.endsWithFlush === true) words.push("--end_fsync=1");
  const checked = await fio(target, pass, words);
  return checked + (await verify(target, pass));
}

/** Reads all that a pass has written. */
export function verify(target: FioTarget, pass: FioPass): Promise<number> {
  return fio(target, pass, ["--verify_only=1"]);
}

async function fio(target: FioTarget, pass: FioPass, words: readonly string[]): Promise<number> {
  const { depth, jobs, seed } = pass;
  const where =
    "socket" in target
      ? ["--ioengine=nbd", `--uri=nbd+unix:///?socket=${target.socket}`]
      : ["--ioengine=psync", `--filename=${target.file}`];
  const { status, stdout, stderr } = await run(
    "fio",
    [
      ...["--name=faults", ...where, "--thread", "--group_reporting", "--rw=randwrite", "--bsrange=4k-256k"],
      ...[`--iodepth=${depth}`, `--numjobs=${jobs}`, `--size=${JOB_LENGTH}`],
      ...[`--offset_increment=${JOB_LENGTH}`, `--randseed=${seed}`, "--verify=crc32c", "--verify_fatal=1"],
      ...["--verify_state_save=0", "--output-format=json", ...words],
    ],
    { timeoutMs: HANG_MS },
  );
  const text = stdout.slice(stdout.indexOf("{"));
  if (status !== 0) {
    const said = `${stdout.slice(0, stdout.indexOf("{"))}${stderr}`.trim();
    throw new Error(`fio (${JSON.stringify(pass)} ${words.join(" ")}) ended with ${status}: ${said}`);
  }
  const result = JSON.parse(text) as {
    readonly jobs: readonly { readonly read: { readonly io_bytes: number } }[];
  };
  return result.jobs.reduce((sum, { read }) => sum + read.io_bytes, 0);
}

import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { runJobs } from "../../matrix/kernel-jobs.ts";
import type { SharedDisk } from "../../matrix/shared-disk.ts";
import type { CryptCase } from "../cases.ts";
import type { Recipe } from "../recipe.ts";
import { contentStart } from "./content.ts";
import { formatOptions, openOptions } from "./cryptsetup-options.ts";

const LIBRARY = fileURLToPath(new URL(".", import.meta.url));
const SECTOR = 512;

/** One device for the kernel: what it is, and the numbers on the disk of its images. */
export interface KernelJob {
  readonly call: "make" | "judge";
  readonly one: CryptCase;
  readonly recipe: Recipe;
  readonly data: number;
  readonly header: number | null;
}

/** What a job's log says. */
export interface KernelAnswer {
  readonly isOk: boolean;
  /** Of what the places hold. */
  readonly sha256: string | null;
  /** Of the plaintext device. */
  readonly size: number | null;
  readonly log: string;
}

/** Runs jobs one after the other in one kernel, in a folder that has the file `content`; an answer for each. */
export async function runInKernel(
  folder: string,
  disk: SharedDisk,
  jobs: readonly KernelJob[],
): Promise<readonly KernelAnswer[]> {
  for (const [number, job] of jobs.entries()) {
    writeFileSync(`${folder}/${number}.key`, job.recipe.passphrase);
    writeFileSync(`${folder}/${number}.sh`, scriptOf(job, disk, number));
  }
  const lines = jobs.map(({ call }, number) => `job ${number} ${call}`);
  const logs = await runJobs({ folder, disk, library: LIBRARY, jobs: lines, jobTimeoutMs: 20_000 });
  return logs.map(({ log, broken }) => readLog(`${log}${broken}`));
}

/** Reads what `hash` of `kernel.sh` prints, among other lines. */
export function readLog(log: string): KernelAnswer {
  const [, sha256 = null, size = null] = /^hash \w+ ([0-9a-f]{64}) (\d+)$/m.exec(log) ?? [];
  return { isOk: /^result ok$/m.test(log), sha256, size: size === null ? null : Number(size), log };
}

function scriptOf({ one, recipe, data, header }: KernelJob, disk: SharedDisk, number: number): string {
  const { format, id, hash } = one;
  const { gap, places } = recipe;
  const isTyped = format === "plain" && hash !== "key";
  const start = contentStart(id);
  return [
    `DATA=${disk.deviceOf(data)}`,
    `HEADER=${header === null ? "" : disk.deviceOf(header)}`,
    `KEY="$ORACLE_WORK/${number}.key"`,
    `GAP_START=${gap === null ? "" : gap.offset / SECTOR}`,
    `GAP_LENGTH=${gap === null ? "" : gap.length / SECTOR}`,
    `PLACES='${places.map(({ offset, length }) => `${offset}:${length}`).join(" ")}'`,
    `CONTENT=${start.made}`,
    `SECOND=${start.second}`,
    `IS_LUKS=${format === "plain" ? "" : 1}`,
    `prepare() { ${format === "plain" ? ":" : `format ${quoted(formatOptions(one, recipe))}`}; }`,
    `open() { ${isTyped ? "unlock_typed" : "unlock"} ${quoted(openOptions(one, recipe))}; }`,
    "",
  ].join("\n");
}

function quoted(words: readonly string[]): string {
  return words.map((word) => `'${word}'`).join(" ");
}

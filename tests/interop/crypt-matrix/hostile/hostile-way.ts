import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runOracle } from "../../oracle/run-oracle.ts";
import { byChance } from "../../matrix/by-chance.ts";
import { run } from "../../src/run.ts";
import type { Verdict } from "../verdict.ts";
import { damagedHeaders, flippedCopies } from "./damage.ts";
import type { Damaged } from "./damage.ts";
import { PASSPHRASE, headerOf, makeGood } from "./headers.ts";
import type { GoodDevice, HeaderKind } from "./headers.ts";
import { judgeDamaged } from "./judge.ts";
import type { Outcome } from "./judge.ts";

/** How much of the damage is looked at. */
export interface HostileSample {
  readonly seed: number;
  /** So many damaged JSON texts. */
  readonly jsonCount: number;
  /** Every so manieth damage only. */
  readonly stride: number;
  /** Of both copies of a LUKS2 header every so manieth bit. */
  readonly flips: number;
  /** cryptsetup looks at so many of those, and the kernel at so many that cev opens to another plaintext. */
  readonly judged: number;
  /** A folder that exists. */
  readonly folder: string;
}

interface Judged {
  readonly damaged: Damaged;
  readonly outcome: Outcome;
}

/**
 * What cev may refuse although cryptsetup's own test of a passphrase takes it: that looks neither at the data nor at texts that are shown, such
 * as the UUID.
 */
const STRICTER = ["CEV_BAD_METADATA", "CEV_UNKNOWN_FEATURE", "CEV_NOT_SUPPORTED"];

/** Looks at every kind of damage to one kind of header. */
export async function runHostile(kind: HeaderKind, sample: HostileSample): Promise<Verdict> {
  const { seed, stride, flips, judged: judgedMax } = sample;
  const folder = join(sample.folder, `hostile-${kind}`);
  mkdirSync(folder);
  const good = await makeGood(kind);
  const expected = (await judgeDamaged(good, { title: "nothing", image: headerOf(good), mustOpen: true }))
    .sha256;
  const failures: string[] = [];
  const opened: Judged[] = [];
  const shut: Judged[] = [];
  let number = 0;
  for (const damaged of damagedHeaders(good, seed, sample.jsonCount)) {
    if (number++ % stride !== 0) continue;
    const outcome = await judgeDamaged(good, damaged);
    failures.push(...outcome.failures);
    if (damaged.mustOpen && outcome.sha256 !== null && outcome.sha256 !== expected)
      failures.push(`${damaged.title}: it reads otherwise`);
    if (!damaged.mustOpen) (outcome.sha256 === null ? shut : opened).push({ damaged, outcome });
  }
  let flipCount = 0;
  for (const damaged of flippedCopies(good, flips, seed)) {
    const outcome = await judgeDamaged(good, damaged);
    failures.push(...outcome.failures);
    if (outcome.sha256 !== expected) failures.push(`${damaged.title}: it reads otherwise, or not at all`);
    flipCount++;
  }
  const chance = (list: readonly Judged[]): Judged[] =>
    byChance(list, ({ damaged }) => damaged.title, seed).slice(0, judgedMax);
  try {
    for (const one of [...chance(opened), ...chance(shut)])
      failures.push(...(await opinionFailures(one, folder)));
    const other = chance(opened.filter(({ outcome }) => outcome.sha256 !== expected));
    failures.push(...(await kernelFailures(good, other, folder)));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const log = `${opened.length} opened, ${shut.length} not; ${flipCount} bits of one copy flipped`;
  return { way: "hostile", kind: "hostile headers", id: kind, isRefused: false, failures, log };
}

/** cryptsetup opens what cev opens, and where its passphrase fits, cev does not call it wrong. */
async function opinionFailures({ damaged, outcome }: Judged, folder: string): Promise<string[]> {
  const { title, image } = damaged;
  const header = join(folder, "header.img");
  const key = join(folder, "key");
  writeFileSync(header, image);
  writeFileSync(key, PASSPHRASE);
  const options = ["--disable-locks", "--batch-mode"];
  const dump = await run("cryptsetup", ["luksDump", ...options, header]);
  const test = await run("cryptsetup", ["open", "--test-passphrase", ...options, "--key-file", key, header]);
  const isTaken = dump.status === 0 && test.status === 0;
  const { reason } = outcome;
  if (outcome.sha256 !== null && !isTaken)
    return [`${title}: cev opens it, cryptsetup does not: ${dump.stderr.trim()} ${test.stderr.trim()}`];
  if (reason !== null && isTaken && !STRICTER.includes(reason.code))
    return [`${title}: cryptsetup opens it, cev does not: ${reason.code}: ${reason.message}`];
  return [];
}

/** What cev opens to another plaintext, the kernel opens to the same one. */
async function kernelFailures(
  good: GoodDevice,
  judged: readonly Judged[],
  folder: string,
): Promise<string[]> {
  if (judged.length === 0) return [];
  const data = join(folder, "data.img");
  writeFileSync(data, good.data);
  writeFileSync(join(folder, "key"), PASSPHRASE);
  for (const [number, { damaged }] of judged.entries())
    writeFileSync(join(folder, `${number}.img`), damaged.image);
  const script = `
cd "$ORACLE_WORK"
for number in $(seq 0 ${judged.length - 1}); do
  cryptsetup -q open --disable-locks --readonly --key-file key ${good.header === null ? "$number.img" : "--header $number.img data.img"} plain 2>$number.error || continue
  sha256sum </dev/mapper/plain | cut -d' ' -f1 >$number.hash
  cryptsetup close plain
done`;
  await runOracle({ script, work: folder, timeoutMs: 120_000 + judged.length * 5000 });
  return judged.flatMap(({ damaged, outcome }, number) => {
    const found = readText(join(folder, `${number}.hash`));
    if (found === outcome.sha256) return [];
    const why =
      found === "" ? `does not open it: ${readText(join(folder, `${number}.error`))}` : "reads otherwise";
    return [`${damaged.title}: cev opens it, the kernel ${why}`];
  });
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
}

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CutRecorder, PowerCutLayer, Random } from "@cev/test-kit";
import type { CachePolicy, CutState } from "@cev/test-kit";
import { hashText } from "../../matrix/hash.ts";
import { run } from "../../src/run.ts";
import { environment } from "../exchange/device.ts";
import { failureOf } from "../../matrix/failure-of.ts";
import type { Verdict } from "../verdict.ts";
import { isOpenedBy, judgeCut } from "./judge-cut.ts";
import { SCENES } from "./scenes.ts";
import type { KeyName, Scene } from "./scenes.ts";
import { KEYS, MAKERS, makeStart } from "./start.ts";
import type { Maker } from "./start.ts";

// All states of one operation are in memory at a time, with 2 MiB each.
const TORN_MAX = 24;

/** One operation on a header of one version that one of the two programs made. */
export interface CrashCase {
  readonly scene: Scene;
  readonly maker: Maker;
  readonly version: 1 | 2;
}

/** How much of what power cuts may leave is looked at. */
export interface CrashSample {
  readonly seed: number;
  /** So many states of each operation, by cev; all where there are no more. */
  readonly cuts: number;
  /** So many of those by cryptsetup, too. */
  readonly judged: number;
  /** A folder that exists. */
  readonly folder: string;
}

export function crashId({ scene, maker, version }: CrashCase): string {
  return `${scene.name.replaceAll(" ", "_")}/luks${version}/${maker}`;
}

/** Every operation, on headers of every version and maker. */
export function allCrashes(): readonly CrashCase[] {
  return SCENES.flatMap((scene) =>
    scene.versions.flatMap((version) => MAKERS.map((maker) => ({ scene, maker, version }))),
  );
}

let folderCount = 0;

/** Runs an operation once, recording every write, and looks at what power cuts among them would have left. */
export async function runCrash(crashCase: CrashCase, sample: CrashSample): Promise<Verdict> {
  const { scene, maker, version } = crashCase;
  const id = crashId(crashCase);
  const folder = join(sample.folder, `crash-${folderCount++}`);
  mkdirSync(folder);
  const failures: string[] = [];
  try {
    const start = await makeStart(maker, version, folder);
    const backup = (await scene.prepare?.(start)) ?? start.slice();
    const disk = new PowerCutLayer(environment, { size: start.length, contents: start });
    const random = new Random(hashText(`${id} ${sample.seed}`));
    const recorder = new CutRecorder([disk], {
      random,
      policies: policiesFor(sample.cuts),
      isDistinct: true,
      context: () => null,
    });
    await disk.open();
    await scene.run(disk, { version, backup });
    await disk.close();
    recorder.record();
    recorder.stop();
    failures.push(...(await endFailures(scene, disk.contents)));
    const cuts = random.shuffled(recorder.states).slice(0, sample.cuts);
    failures.push(...(await cutFailures(crashCase, cuts, sample, folder)));
  } catch (error) {
    failures.push(failureOf(error));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return { way: "crash", kind: scene.name, id, isRefused: false, failures, log: "" };
}

/** What of the writes that were not flushed may be there after a power cut: most is to be found where some sectors of them are. */
function policiesFor(cuts: number): readonly CachePolicy[] {
  const tornCount = Math.min(Math.ceil(cuts / 8), TORN_MAX);
  return ["none", "all", "prefix", "writes", ...Array.from({ length: tornCount }, () => "sectors" as const)];
}

async function endFailures({ after }: Scene, device: Uint8Array): Promise<string[]> {
  const failures: string[] = [];
  for (const name of Object.keys(KEYS) as KeyName[])
    if ((await isOpenedBy(device, name)) !== after.includes(name))
      failures.push(
        `in the end the ${name} passphrase ${after.includes(name) ? "does not open" : "opens"} it`,
      );
  return failures;
}

async function cutFailures(
  { scene, version }: CrashCase,
  states: readonly CutState<null>[],
  { judged }: CrashSample,
  folder: string,
): Promise<string[]> {
  const hasCopies = version === 2 && scene.keepsCopies;
  const failures: string[] = [];
  for (const [number, { at, policy, images }] of states.entries()) {
    const [image] = images;
    const name = `change ${at}, ${policy} kept of what was not flushed`;
    const found = await judgeCut(scene, image!, hasCopies);
    failures.push(...found.failures.map((failure) => `power cut at ${name}: ${failure}`));
    if (number >= judged) continue;
    const other = await openedByCryptsetup(image!, folder);
    if (other.join() !== found.opening.join())
      failures.push(
        `power cut at ${name}: cev opens it by ${listed(found.opening)}, cryptsetup by ${listed(other)}`,
      );
  }
  return failures;
}

/** The passphrases that cryptsetup opens a device with. */
async function openedByCryptsetup(device: Uint8Array, folder: string): Promise<KeyName[]> {
  const image = join(folder, "cut.img");
  const opening: KeyName[] = [];
  for (const name of Object.keys(KEYS) as KeyName[]) {
    const key = join(folder, `cut.${name}`);
    writeFileSync(key, KEYS[name]);
    // It repairs what it opens.
    writeFileSync(image, device);
    const { status } = await run("cryptsetup", [
      ...["open", "--test-passphrase", "--disable-locks", "--key-file", key, image],
    ]);
    if (status === 0) opening.push(name);
  }
  return opening;
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? "none" : names.join(" and ");
}

import { readFileSync, writeFileSync } from "node:fs";
import { kept, parseKeep, parseStack, runOfSeed, simulate } from "@cev/test-kit";
import type { SimulationKind, Step } from "@cev/test-kit";

/** A run that finds a planted defect: all of it, so that it stays what it is when stacks and work are drawn in another way. */
export interface RecordedRun {
  readonly seed: number;
  /** As `--stack` takes it. */
  readonly stack: string;
  readonly script: readonly Step[];
}

const FILE = new URL("recorded.json", import.meta.url);

/** Recorded runs by the names of the defects that they find. */
export function recordedRuns(): Readonly<Record<string, RecordedRun>> {
  return JSON.parse(readFileSync(FILE, "utf8")) as Record<string, RecordedRun>;
}

/** Keeps the run that the arguments of a replay line stand for. */
export function record(
  name: string,
  replay: { readonly seed: number; readonly keep: string; readonly stack: string },
  kinds: readonly SimulationKind[],
): void {
  const keep = parseKeep(replay.keep);
  if (keep === null) throw new Error(`these are no steps: ${replay.keep}`);
  const script = kept(runOfSeed(replay.seed, kinds).script, keep);
  const runs = { ...recordedRuns(), [name]: { seed: replay.seed, stack: replay.stack, script } };
  const sorted = Object.entries(runs).sort(([a], [b]) => (a < b ? -1 : 1));
  writeFileSync(FILE, `${JSON.stringify(Object.fromEntries(sorted), null, 1)}\n`);
}

/** What a recorded run finds now. */
export async function findingsOf(
  { seed, stack, script }: RecordedRun,
  kinds: readonly SimulationKind[],
): Promise<readonly string[]> {
  const plan = parseStack(stack);
  if (plan === null) throw new Error(`this is no stack: ${stack}`);
  const { findings } = await simulate(plan, script, seed, kinds);
  return findings;
}

import type { SimulationKind } from "./kind.ts";
import { stackText } from "./plan.ts";
import type { StackPlan } from "./plan.ts";
import type { Step } from "./script.ts";
import { Trace } from "./seed.ts";

/** Changes when stacks, scripts or their seeds are drawn in another way: then an old line means something else. */
export const SIMULATION_VERSION = 1;

/** The version of a replay line: of the simulator, and of the kinds it draws from. */
export function simulationVersion(kinds: readonly SimulationKind[]): string {
  const names = new Trace();
  for (const { name, planVersion } of kinds) names.addText(`${name} ${planVersion};`);
  return `${SIMULATION_VERSION}.${names.hash.slice(0, 6)}`;
}

/** What a replay line says. */
export interface Replay {
  readonly seed: number;
  readonly plan: StackPlan;
  readonly script: readonly Step[];
  readonly finding: string;
  /** No step was left out. */
  readonly isWhole: boolean;
  readonly kinds: readonly SimulationKind[];
}

/** One line that says what is wrong and how to run it again. */
export function replayLine({ seed, plan, script, finding, isWhole, kinds }: Replay): string {
  const keep = isWhole ? "" : ` --keep ${rangesText(script.map(({ index }) => index))}`;
  const version = simulationVersion(kinds);
  return `sim: ${stackText(plan.top)}: ${finding}; replay: pnpm sim --seed ${seed} --version ${version}${keep}`;
}

/** "0,3-5,11"; none: "none". */
export function rangesText(indexes: readonly number[]): string {
  const parts: string[] = [];
  for (let at = 0; at < indexes.length;) {
    let end = at;
    while (indexes[end + 1] === indexes[end]! + 1) end++;
    parts.push(end === at ? String(indexes[at]) : `${indexes[at]}-${indexes[end]}`);
    at = end + 1;
  }
  return parts.length === 0 ? "none" : parts.join(",");
}

/** The other way. Null: it is no such text. */
export function parseRanges(text: string): readonly number[] | null {
  if (text === "none") return [];
  const indexes: number[] = [];
  for (const part of text.split(",")) {
    const match = /^(\d{1,6})(?:-(\d{1,6}))?$/.exec(part);
    if (match === null) return null;
    for (let index = Number(match[1]); index <= Number(match[2] ?? match[1]); index++) indexes.push(index);
  }
  return indexes;
}

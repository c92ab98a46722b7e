import { keepText } from "./keep.ts";
import type { SimulationKind } from "./kind.ts";
import { stackText } from "./plan.ts";
import type { StackPlan } from "./plan.ts";
import { encodeStack } from "./stack-notation.ts";
import type { Step } from "./step.ts";
import { Trace } from "./seed.ts";

/** Changes when stacks, scripts or their seeds are drawn in another way: then an old line means something else. */
export const SIMULATION_VERSION = 8;

/** The version of a replay line: of the simulator, and of the kinds it draws from. */
export function simulationVersion(kinds: readonly SimulationKind[]): string {
  const names = new Trace();
  for (const { name, planVersion } of kinds) names.addText(`${name} ${planVersion};`);
  return `${SIMULATION_VERSION}.${names.hash.slice(0, 6)}`;
}

/** What a seed stands for. */
export interface SeedRun {
  readonly plan: StackPlan;
  readonly script: readonly Step[];
}

/** What a replay line says. */
export interface Replay extends SeedRun {
  readonly seed: number;
  readonly finding: string;
  /** What the seed stands for: what was left out of it is said. */
  readonly whole: SeedRun;
  readonly kinds: readonly SimulationKind[];
  /** The kinds are named, since there are others. */
  readonly namesKinds?: boolean;
}

/** One line that says what is wrong and how to run it again. */
export function replayLine({ seed, plan, script, finding, whole, kinds, namesKinds }: Replay): string {
  const parts = [`--seed ${seed} --version ${simulationVersion(kinds)}`];
  if (namesKinds === true) parts.push(`--kinds ${kinds.map(({ name }) => name).join(",")}`);
  const keep = keepText(script, whole.script);
  if (keep !== keepText(whole.script, whole.script)) parts.push(`--keep ${keep}`);
  const stack = encodeStack(plan);
  // As a shell takes it, whatever is in the options of a kind.
  if (stack !== encodeStack(whole.plan)) parts.push(`--stack '${stack.replaceAll("'", `'\\''`)}'`);
  return `sim: ${stackText(plan.top)}: ${finding}; replay: pnpm sim ${parts.join(" ")}`;
}

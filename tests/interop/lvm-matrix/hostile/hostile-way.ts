import { Random } from "../../src/random.ts";
import { readGoldenGroup } from "../golden-group.ts";
import type { GroupShape } from "../shapes.ts";
import type { Verdict } from "../verdict.ts";
import { flips, rewrites } from "./damage.ts";
import { judgeDamage, takeGlimpses } from "./judge.ts";

/** How much of what can be damaged is. */
export interface HostileAmount {
  /** One of so many flipped bytes; 1: all. */
  readonly stride: number;
  /** So many texts with one word or line changed. */
  readonly rewriteCount: number;
  readonly seed: number;
}

/** Damages the golden set of a shape in many ways, one after the other; one verdict for all of them. */
export async function runHostile(
  shape: GroupShape,
  { stride, rewriteCount, seed }: HostileAmount,
): Promise<Verdict> {
  const group = readGoldenGroup(shape);
  const glimpses = await takeGlimpses(group);
  const random = new Random(seed);
  const start = random.below(stride);
  const damages = [
    ...flips(group.images, (index) => index % stride === start),
    ...rewrites(group.images, random, rewriteCount),
  ];
  const failures: string[] = [];
  for (const damage of damages) failures.push(...(await judgeDamage(group, glimpses, damage)));
  return { way: "hostile", type: shape.type, id: shape.name, failures, log: `${damages.length} damages` };
}

import { environmentFrom } from "@cev/core";
import { Random } from "../random.ts";
import type { Subject } from "./subject.ts";
import { testLayer } from "./suite.ts";
import type { TestRunner } from "./suite.ts";

const DRAWN_COUNT = 4;

/** Every configuration that a package offers. */
export interface ConformanceTable {
  /** As in its manifest: "@cev/raid". */
  readonly package: string;
  /** By what they have in common, such as "RAID6" or "read-only": those that are drawn come from as many groups as can be. */
  readonly groups: { readonly [group: string]: readonly Subject[] };
  /** How many a run of the tests takes of them. Default 4. */
  readonly drawnCount?: number;
}

/** All of a table, in its order. */
export function subjectsOf({ groups }: ConformanceTable): readonly Subject[] {
  return Object.values(groups).flat();
}

/** As many as a run of the tests takes, the same for the same seed; in the order of the table. */
export function drawSubjects(table: ConformanceTable, seed: number): readonly Subject[] {
  const random = new Random(seed);
  const groups = random.shuffled(Object.values(table.groups)).map((group) => random.shuffled(group));
  const drawn = new Set<Subject>();
  const { drawnCount = DRAWN_COUNT } = table;
  for (let round = 0; groups.some((group) => group.length > round); round++)
    for (const group of groups) {
      const subject = group[round];
      if (subject !== undefined && drawn.size < drawnCount) drawn.add(subject);
    }
  return subjectsOf(table).filter((subject) => drawn.has(subject));
}

/**
 * Declares the suite's tests for some of a table's configurations, drawn anew in each run. `variables` are those of the process:
 * `CEV_SEED`, which the name of the tests tells, draws the same ones again, and with `CEV_ALL_CASES` set all are tested.
 */
export function testTable(
  table: ConformanceTable,
  runner: TestRunner,
  variables: { readonly [name: string]: string | undefined },
): void {
  const seed = Number(variables["CEV_SEED"] ?? anySeed()) >>> 0;
  const all = subjectsOf(table);
  const subjects = variables["CEV_ALL_CASES"] === undefined ? drawSubjects(table, seed) : all;
  const which = subjects.length < all.length ? `, CEV_SEED=${seed}` : "";
  runner.describe(`${subjects.length} of ${all.length} configurations of ${table.package}${which}`, () => {
    for (const subject of subjects) testLayer(subject, runner);
  });
}

/** What may be chosen, by its name. */
type Axes<T> = { readonly [K in keyof T]: readonly T[K][] };

/**
 * Combinations of choices, few of them, such that any two choices that can occur together do. `isPossible` says which combinations there
 * are. For some thousand combinations at most: all are looked at.
 */
export function pairsOf<T extends object>(axes: Axes<T>, isPossible: (one: T) => boolean = () => true): T[] {
  const names = Object.keys(axes) as (keyof T)[];
  let combinations: number[][] = [[]];
  for (const name of names)
    combinations = combinations.flatMap((one) => axes[name].map((_, index) => [...one, index]));
  const candidates = combinations
    .map((indexes) => ({
      one: Object.fromEntries(names.map((name, at) => [name, axes[name][indexes[at]!]])) as T,
      pairs: pairsIn(indexes),
    }))
    .filter(({ one }) => isPossible(one));
  const missing = new Set(candidates.flatMap(({ pairs }) => pairs));
  const chosen: T[] = [];
  while (missing.size > 0) {
    let best = candidates[0]!;
    let bestCount = -1;
    for (const candidate of candidates) {
      let count = 0;
      for (const pair of candidate.pairs) if (missing.has(pair)) count++;
      if (count > bestCount) [best, bestCount] = [candidate, count];
    }
    chosen.push(best.one);
    for (const pair of best.pairs) missing.delete(pair);
  }
  return chosen;
}

/** Which two choices it has, each as a number. With one axis alone: the choice. */
function pairsIn(indexes: readonly number[]): number[] {
  if (indexes.length === 1) return [indexes[0]!];
  const pairs: number[] = [];
  for (const [first, a] of indexes.entries())
    for (let second = first + 1; second < indexes.length; second++)
      pairs.push(((first * 64 + a) * 16 + second) * 64 + indexes[second]!);
  return pairs;
}

function anySeed(): number {
  const bytes = new Uint8Array(4);
  environmentFrom(globalThis).random(bytes);
  return new DataView(bytes.buffer).getUint32(0);
}

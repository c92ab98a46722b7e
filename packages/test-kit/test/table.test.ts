import { describe, expect, test } from "vitest";
import type { Layer } from "@cev/core";
import { drawSubjects, pairsOf, subjectsOf, testTable } from "../src/index.ts";
import type { ConformanceTable, Subject } from "../src/index.ts";
import { FULL_SUPPORT } from "@cev/core";

const subjectOf = (name: string): Subject => ({
  name,
  manifest: { support: FULL_SUPPORT },
  create: (): Layer => {
    throw new Error("is not made here");
  },
});
const group = (letter: string, count: number): Subject[] =>
  Array.from({ length: count }, (_, index) => subjectOf(`${letter}${index}`));
const table: ConformanceTable = {
  package: "@cev/example",
  groups: { a: group("a", 12), b: group("b", 1), c: group("c", 3), d: group("d", 5) },
};
const namesOf = (subjects: readonly Subject[]): string[] => subjects.map(({ name }) => name);

describe("a table of configurations", () => {
  test("gives one of each group, the same ones for a seed, and all of them in time", () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 200; seed++) {
      const drawn = namesOf(drawSubjects(table, seed));
      expect(drawn.map((name) => name[0])).toEqual(["a", "b", "c", "d"]);
      expect(namesOf(drawSubjects(table, seed))).toEqual(drawn);
      for (const name of drawn) seen.add(name);
    }
    expect([...seen].toSorted()).toEqual(namesOf(subjectsOf(table)).toSorted());
  });

  test("gives more of a group where there are few groups, and no more than there are", () => {
    expect(drawSubjects({ ...table, drawnCount: 9 }, 1)).toHaveLength(9);
    expect(drawSubjects({ ...table, drawnCount: 99 }, 1)).toEqual(subjectsOf(table));
  });

  test("tells the seed of what it drew, and with CEV_ALL_CASES tests everything", () => {
    const titlesWith = (variables: { readonly [name: string]: string }): string[] => {
      const titles: string[] = [];
      const run = (name: string, body: () => void): void => {
        titles.push(name);
        body();
      };
      testTable(
        table,
        { describe: run, test: Object.assign(() => undefined, { skip: () => undefined }) },
        variables,
      );
      return titles;
    };
    expect(titlesWith({ CEV_SEED: "7" })[0]).toBe("4 of 21 configurations of @cev/example, CEV_SEED=7");
    expect(titlesWith({ CEV_SEED: "7" })).toEqual(titlesWith({ CEV_SEED: "7" }));
    expect(titlesWith({ CEV_ALL_CASES: "1" })).toHaveLength(22);
    expect(titlesWith({})[0]).toMatch(/CEV_SEED=\d+$/);
  });
});

test("pairs of choices: any two that can occur together do, and none that cannot", () => {
  const axes = {
    level: [0, 1, 5, 6],
    version: ["0.90", "1.0", "1.2"],
    bitmap: [false, true],
    block: [512, 4096],
  };
  const isPossible = (one: { level: number; bitmap: boolean }): boolean => !(one.level === 0 && one.bitmap);
  const chosen = pairsOf<{ level: number; version: string; bitmap: boolean; block: number }>(
    axes,
    isPossible,
  );
  expect(chosen.every(isPossible)).toBe(true);
  expect(chosen.length).toBeLessThan(20);
  for (const [a, valuesOfA] of Object.entries(axes))
    for (const [b, valuesOfB] of Object.entries(axes))
      for (const first of valuesOfA)
        for (const second of valuesOfB) {
          if (a >= b) continue;
          const isThere = chosen.some((one) => one[a as "level"] === first && one[b as "level"] === second);
          expect(isThere, `${a} ${first} with ${b} ${second}`).toBe(
            !(a === "bitmap" && b === "level" && first === true && second === 0),
          );
        }
});

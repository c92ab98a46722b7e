import { readFileSync, readdirSync } from "node:fs";
import { campaign, replay } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { KINDS, NAMED_KINDS, WITHOUT_KIND } from "../kinds/index.ts";
import { findingsOf, recordedRuns } from "../mutants/recorded.ts";
import { findingsWith } from "../mutants/run.ts";
import { MUTANTS } from "../mutants/table.ts";

describe("random stacks of our layers", () => {
  const { CEV_ALL_CASES: all, CEV_SEED: seed = String(Date.now() % 1_000_000) } = process.env;

  // The same every time, and a few that are new.
  test.each([
    { seed: 5000, stepsMax: 12_000 },
    { seed: 1_000_000 + Number(seed), stepsMax: 4000 },
  ])("do what they promise in $stepsMax steps from seed $seed on", async ({ seed: first, stepsMax }) => {
    const { failures, stepCount, cutCount } = await campaign({ seed: first, kinds: KINDS, stepsMax });
    expect(failures.map(({ line }) => line)).toEqual([]);
    expect(stepCount).toBeGreaterThanOrEqual(stepsMax);
    expect(cutCount).toBeGreaterThan(20);
  });

  test("do the same for a seed every time", async () => {
    const first = await replay(5, KINDS);
    expect(await replay(5, KINDS)).toEqual(first);
  });

  test("are drawn from the layers of every package, or it is said why not", () => {
    const packages = readdirSync(new URL("../../../packages", import.meta.url)).map((folder) => {
      const manifest = new URL(`../../../packages/${folder}/package.json`, import.meta.url);
      return (JSON.parse(readFileSync(manifest, "utf8")) as { name: string }).name;
    });
    const known = new Set([...KINDS.map((kind) => kind.package), ...Object.keys(WITHOUT_KIND)]);
    expect(packages.filter((name) => !known.has(name))).toEqual([]);
  });

  // A process for each is dear: one of them, by the seed that the name tells.
  const drawn = all === undefined ? [MUTANTS[Number(seed) % MUTANTS.length]!] : MUTANTS;

  test.each(drawn)(
    `a planted defect is found by the run that was recorded, and only with it (CEV_SEED=${seed}): $name`,
    async ({ name }) => {
      const run = recordedRuns()[name];
      expect(run, `pnpm sim --mutant ${name} --record`).toBeDefined();
      expect(await findingsOf(run!, NAMED_KINDS)).toEqual([]);
      expect(findingsWith(name)).not.toEqual([]);
    },
  );

  test.each(MUTANTS)("a defect can be planted in one place: $name", ({ file, edits }) => {
    const source = readFileSync(new URL(`../../../packages/${file}`, import.meta.url), "utf8");
    for (const { find, replace } of edits) {
      expect(source.split(find)).toHaveLength(2);
      expect(replace).not.toBe(find);
    }
  });
});

import { readFileSync, readdirSync } from "node:fs";
import { campaign, replay } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { KINDS, WITHOUT_KIND } from "../kinds/index.ts";
import { MUTANTS } from "../mutants/table.ts";

describe("random stacks of our layers", () => {
  test("do what they promise in a few thousand steps", async () => {
    const { failures, stepCount, cutCount } = await campaign({ seed: 5000, kinds: KINDS, stepsMax: 2500 });
    expect(failures.map(({ line }) => line)).toEqual([]);
    expect(stepCount).toBeGreaterThanOrEqual(2500);
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

  test.each(MUTANTS)("a defect can be planted in one place: $name", ({ file, edits }) => {
    const source = readFileSync(new URL(`../../../packages/${file}`, import.meta.url), "utf8");
    for (const { find, replace } of edits) {
      expect(source.split(find)).toHaveLength(2);
      expect(replace).not.toBe(find);
    }
  });
});

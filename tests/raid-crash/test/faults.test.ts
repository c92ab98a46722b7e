import { describe, expect, test } from "vitest";
import { runFaults } from "../src/faults/run.ts";
import { nameOfShape } from "../src/shape.ts";
import { CRASH_SHAPES } from "../src/shapes.ts";

// The long run is a command of its own: pnpm run raid-crash --what faults.
const SEEDS = [1, 2, 3, 4];

describe.each([
  ["no more members fail than can be done without: nothing fails above, and nothing is wrong", true],
  ["any members fail: what succeeds is right, and everything ends", false],
] as const)("%s", (_claim, isWithin) => {
  test.each(CRASH_SHAPES.map((shape) => [nameOfShape(shape), shape] as const))("%s", async (_name, shape) => {
    let doneCount = 0;
    for (const seed of SEEDS) {
      const result = await runFaults({ shape, seed, isWithin });
      expect(result.violations, `seed ${seed}`).toEqual([]);
      doneCount += result.doneCount;
    }
    expect(doneCount).toBeGreaterThan(25);
  });
});

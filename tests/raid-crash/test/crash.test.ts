import { describe, expect, test } from "vitest";
import { runCrashes } from "../src/crash/run.ts";
import { nameOfShape } from "../src/shape.ts";
import { CRASH_SHAPES } from "../src/shapes.ts";

// A sample. The long run is a command of its own: pnpm run raid-crash.
const SEED = 20_260;
const SHARE = 0.15;

describe(`the power goes before some change of some disk, seed ${SEED}`, () => {
  test.each(CRASH_SHAPES.map((shape) => [nameOfShape(shape), shape] as const))(
    "%s loses nothing that was flushed, and comes back whole",
    async (_name, shape) => {
      const { cutCount, violations } = await runCrashes({ shape, seed: SEED, share: SHARE });
      expect(violations).toEqual([]);
      expect(cutCount).toBeGreaterThan(0);
    },
  );
});

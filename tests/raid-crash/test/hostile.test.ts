import { Random } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { randomDamage } from "../src/fuzz/damage.ts";
import { HostileBench } from "../src/fuzz/judge.ts";
import { nameOfShape } from "../src/shape.ts";
import { HOSTILE_SHAPES } from "../src/shapes.ts";

// Every bit and every field is a command of its own: pnpm run raid-crash --what hostile --all.
const SEED = 4711;
const COUNT = 80;

describe(`spoiled metadata opens an array that reads right, or is refused by name, seed ${SEED}`, () => {
  test.each(HOSTILE_SHAPES.map((shape) => [nameOfShape(shape), shape] as const))(
    "%s",
    async (_name, shape) => {
      const bench = new HostileBench(shape);
      const random = new Random(SEED);
      const outcomes = new Set<string>();
      for (let count = 0; count < COUNT; count++) {
        const { outcome, violations } = await bench.judge(randomDamage(shape, random), random.chance(0.5));
        expect(violations).toEqual([]);
        outcomes.add(outcome);
      }
      expect(outcomes.size, [...outcomes].join(", ")).toBeGreaterThan(1);
    },
  );
});

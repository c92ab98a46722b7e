import { describe, expect, test } from "vitest";
import { runSteps } from "../lvm-matrix/commands/sequence.ts";
import { shrink } from "../lvm-matrix/commands/shrink.ts";
import { randomSteps } from "../lvm-matrix/commands/steps.ts";
import { GroupWorld } from "../lvm-matrix/commands/world.ts";
import { Random, chooseSeed, drawSome } from "../src/random.ts";

const LENGTH = 40;
const SEED = 5021;
// Another of them each time, all with CEV_ALL_CASES; others: pnpm run lvm-matrix --way command --seed.
const DRAW = chooseSeed();

describe(`commands by chance, with writes between them, seed ${SEED}, CEV_SEED=${DRAW}`, () => {
  test.each(drawSome([0, 1, 2], 1, DRAW))(
    "sequence %i: volumes keep what they hold, what is refused writes nothing",
    async (number) => {
      const steps = randomSteps(new Random(SEED + number), LENGTH);
      const { world, failure } = await runSteps(steps, number);
      expect(failure).toBeNull();
      expect(world.doneCount).toBeGreaterThan(10);
    },
  );
});

test("a sequence that fails is shortened to what it takes to fail", async () => {
  const numbers = Array.from({ length: 50 }, (_, index) => index);
  let tries = 0;
  const fails = (some: readonly number[]): Promise<boolean> => {
    tries++;
    return Promise.resolve(some.includes(7) && some.includes(31));
  };
  expect(await shrink(numbers, fails, 200)).toEqual([7, 31]);
  expect(tries).toBeLessThan(120);
});

test("a volume that does not hold what was written to it is noticed, with the commands before", async () => {
  const MIB = 1024 * 1024;
  const world = new GroupWorld([8 * MIB, 8 * MIB], new Random(1));
  for (const step of randomSteps(new Random(1), 5)) await world.do(step);
  expect(world.known.volumes.length).toBeGreaterThan(0);
  await world.verify();
  const { content } = world.known.volumes.find(({ kind }) => kind === "data")!;
  content![10]! ^= 1;
  await expect(world.verify()).rejects.toThrow(
    /reads otherwise from 10 on\n {2}after:\n {4}\{"command":"pvcreate"/,
  );
});

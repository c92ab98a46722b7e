import { expect, test } from "vitest";
import { fuzzStreams } from "./client-streams/fuzz.ts";

test("mutated client streams harm neither the server nor a neighbour, and leave nothing behind", async () => {
  // More of them: CEV_ALL_CASES=1, or `pnpm run nbd-fuzz`.
  const count = process.env["CEV_ALL_CASES"] === undefined ? 1200 : 4000;
  // Printed by a fault: `pnpm run nbd-fuzz --seed N --count 1` repeats it.
  const { repliedCount } = await fuzzStreams(20_261_123, count);
  // Most are good enough to be answered, or they would try the greeting alone.
  expect(repliedCount).toBeGreaterThan(count / 3);
});

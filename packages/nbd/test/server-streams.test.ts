import { expect, test } from "vitest";
import { fuzzClient } from "./server-streams/fuzz.ts";

test("mutated server streams leave no request without an end, no memory, timer or connection behind", async () => {
  // More of them: CEV_ALL_CASES=1, or `pnpm run nbd-fuzz --server-streams`.
  const count = process.env["CEV_ALL_CASES"] === undefined ? 600 : 2000;
  // Printed by a fault: `pnpm run nbd-fuzz --server-streams --seed N --count 1` repeats it.
  const { openedCount, doneCount, failedCount } = await fuzzClient(20_261_123, count);
  // Most let a device be opened, and some of what is asked of it be done.
  expect(openedCount).toBeGreaterThan(count / 2);
  expect(doneCount).toBeGreaterThan(count / 2);
  expect(failedCount).toBeGreaterThan(count / 2);
});

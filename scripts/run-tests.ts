/** Runs vitest in this process and counts what came of it. */
import { startVitest } from "vitest/node";
import type { Reporter } from "vitest/node";
import { countResults } from "./count.ts";
import type { Count } from "./count.ts";

/** Runs the test files below `root` whose paths contain one of `filters`; without filters, all of them. */
export async function runTests(root: string, filters: readonly string[] = []): Promise<Count> {
  let count: Count | undefined;
  const counter: Reporter = {
    onTestRunEnd: (modules, unhandledErrors) => {
      count = countResults(modules, unhandledErrors);
    },
  };
  try {
    const vitest = await startVitest([...filters], {
      root,
      run: true,
      watch: false,
      reporters: ["default", counter],
    });
    await vitest.close();
  } catch (error) {
    console.error(error);
  }
  // No result at all is a failure: the run was broken before its first test.
  return count ?? { passed: 0, failed: 1, skipped: 0 };
}

/** What a run of tests came to, as the last line of `npm test` says it. */
import type { TestModule, TestSuite } from "vitest/node";

export interface Count {
  passed: number;
  failed: number;
  skipped: number;
}

/**
 * Counts tests by their results. A file that does not load, a hook that throws and an error that nobody caught are no
 * tests, but each counts as one failure; a test that never came to an end counts as one, too.
 */
export function countResults(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): Count {
  const count: Count = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
  for (const module of modules) {
    let found = 0;
    for (const test of module.children.allTests()) {
      const state = test.result().state;
      if (state === "passed") count.passed++;
      else if (state === "skipped") count.skipped++;
      else count.failed++;
      found++;
    }
    for (const suite of [module, ...module.children.allSuites()]) if (hasBrokenHook(suite)) count.failed++;
    if (found === 0 && module.ok() && module.errors().length === 0) count.failed++;
  }
  return count;
}

function hasBrokenHook(suite: TestModule | TestSuite): boolean {
  return suite.errors().length > 0;
}

/** `12 passed, 0 failed`, and how many were skipped where some were. */
export function countLine(count: Count): string {
  const skipped = count.skipped === 0 ? "" : `, ${count.skipped} skipped`;
  return `${count.passed} passed, ${count.failed} failed${skipped}`;
}

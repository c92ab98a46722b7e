import { cancelChecks } from "./cancel.ts";
import { closeChecks, completionChecks } from "./completion.ts";
import { contentsChecks, zeroesChecks } from "./contents.ts";
import { durabilityChecks } from "./durability.ts";
import { errorChecks } from "./errors.ts";
import { extentsChecks } from "./extents.ts";
import { interfaceChecks, limitsChecks, refusalChecks } from "./interface.ts";
import { THEMES, fail } from "./subject.ts";
import type { Check, Subject } from "./subject.ts";
import { transparencyChecks } from "./transparency.ts";

/** The part of a test framework that the suite uses: vitest, `node:test` and others have it. */
export interface TestRunner {
  readonly describe: (name: string, body: () => void) => unknown;
  readonly test: {
    (name: string, body: () => Promise<void>): unknown;
    readonly skip: (name: string, body?: () => Promise<void>) => unknown;
  };
}

/** Every check that applies to a subject, by theme. Those that its manifest skips are among them. */
export function conformanceChecks(subject: Subject): Check[] {
  return [
    ...interfaceChecks(subject),
    ...contentsChecks(subject),
    ...limitsChecks(subject),
    ...refusalChecks(subject),
    ...zeroesChecks(subject),
    ...extentsChecks(subject),
    ...durabilityChecks(subject),
    ...errorChecks(subject),
    ...completionChecks(subject),
    ...cancelChecks(subject),
    ...transparencyChecks(subject),
    ...closeChecks(subject),
  ];
}

/**
 * The conformance suite: declares its tests for one layer in one configuration. `runner` is what a test framework
 * exports (`{ describe, test }`); without it, the globals of that name are used.
 */
export function testLayer(subject: Subject, runner: TestRunner = globalRunner()): void {
  const checks = conformanceChecks(subject);
  runner.describe(`${subject.name} keeps the layer contract`, () => {
    for (const theme of THEMES) {
      const reason = subject.manifest.skip?.[theme];
      const ofTheme = checks.filter((check) => check.theme === theme);
      if (reason !== undefined) {
        runner.test.skip(`${theme}: left out, because ${reason}`);
        continue;
      }
      for (const { name, run } of ofTheme) runner.test(`${theme}: ${name}`, run);
    }
  });
}

function globalRunner(): TestRunner {
  const { describe, test } = globalThis as Partial<TestRunner>;
  if (describe === undefined || test === undefined)
    fail("testLayer needs { describe, test } of a test framework as its second argument");
  return { describe, test };
}

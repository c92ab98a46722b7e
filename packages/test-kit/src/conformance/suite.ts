import { alignmentChecks } from "./alignment.ts";
import { cancelChecks } from "./cancel.ts";
import { closeChecks } from "./close.ts";
import { completionChecks } from "./completion.ts";
import { contentsChecks, zeroesChecks } from "./contents.ts";
import { deferralChecks } from "./deferral.ts";
import { describeChecks } from "./describe.ts";
import { durabilityChecks } from "./durability.ts";
import { errorChecks } from "./errors.ts";
import { extentsChecks } from "./extents.ts";
import { interfaceChecks, limitsChecks, refusalChecks } from "./interface.ts";
import { resizeChecks } from "./resize.ts";
import { THEMES, deadlineMsOf, fail } from "./subject.ts";
import type { AddCheck, Check, Conformance, SkippedCheck, Subject, Theme } from "./subject.ts";
import { Tested } from "./tested.ts";
import { transparencyChecks } from "./transparency.ts";

/** The part of a test framework that the suite uses: vitest, `node:test` and others have it. */
export interface TestRunner {
  readonly describe: (name: string, body: () => void) => unknown;
  readonly test: {
    (name: string, body: () => Promise<void>): unknown;
    readonly skip: (name: string, body?: () => Promise<void>) => unknown;
  };
}

const THEME_CHECKS: { readonly [theme in Theme]: (tested: Tested, add: AddCheck) => void } = {
  interface: interfaceChecks,
  describe: describeChecks,
  contents: contentsChecks,
  alignment: alignmentChecks,
  limits: limitsChecks,
  refusals: refusalChecks,
  zeroes: zeroesChecks,
  extents: extentsChecks,
  durability: durabilityChecks,
  errors: errorChecks,
  completion: completionChecks,
  deferral: deferralChecks,
  cancel: cancelChecks,
  transparency: transparencyChecks,
  resize: resizeChecks,
  close: closeChecks,
};

const DEADLINES_PER_TEST = 6;

/** Everything that the suite has for a subject, by theme: what is tested, and what is left out, each with its reason. */
export function conformanceOf(subject: Subject): Conformance {
  const checks: Check[] = [];
  const skipped: SkippedCheck[] = [];
  const tested = new Tested(subject);
  for (const theme of THEMES) {
    const skip = subject.manifest.skip?.[theme];
    THEME_CHECKS[theme](tested, (name, run, without = null) => {
      const reason = skip ?? without;
      if (reason === null) checks.push({ theme, name, run });
      else skipped.push({ theme, name, reason });
    });
  }
  return { checks, skipped };
}

/**
 * The conformance suite: declares its tests for one layer in one configuration. `runner` is what a test framework
 * exports (`{ describe, test }`); without it, the globals of that name are used.
 */
export function testLayer(subject: Subject, runner: TestRunner = globalRunner()): void {
  const { checks, skipped } = conformanceOf(subject);
  runner.describe(`${subject.name} keeps the layer contract`, () => {
    for (const theme of THEMES) {
      for (const { name, run } of checks.filter((one) => one.theme === theme))
        runner.test(`${theme}: ${name}`, run);
      for (const { name, reason } of skipped.filter((one) => one.theme === theme))
        runner.test.skip(`${theme}: ${name}: left out, because ${reason}`);
    }
  });
}

/** How long a test may take: many things happen in each, and a missed deadline of one of them should be what is told. */
export function timeoutMsOf(subject: Subject): number {
  return DEADLINES_PER_TEST * deadlineMsOf(subject);
}

function globalRunner(): TestRunner {
  const { describe, test } = globalThis as Partial<TestRunner>;
  if (describe === undefined || test === undefined)
    fail("testLayer needs { describe, test } of a test framework as its second argument");
  return { describe, test };
}

import { describe, test } from "vitest";
import type { Subject } from "../conformance/subject.ts";
import { testLayer as declareTests, timeoutMsOf } from "../conformance/suite.ts";

/** The conformance suite with vitest: declares its tests for one layer in one configuration. */
export function testLayer(subject: Subject): void {
  const timeoutMs = timeoutMsOf(subject);
  const declare = (name: string, body: () => Promise<void>): void => test(name, body, timeoutMs);
  const skip = (name: string): void => test.skip(name);
  declareTests(subject, { describe, test: Object.assign(declare, { skip }) });
}

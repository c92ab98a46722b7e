import { describe, test } from "node:test";
import type { Subject } from "../conformance/subject.ts";
import { testLayer as declareTests, timeoutMsOf } from "../conformance/suite.ts";

/** The conformance suite with `node:test`: declares its tests for one layer in one configuration. */
export function testLayer(subject: Subject): void {
  const timeout = timeoutMsOf(subject);
  const declare = (name: string, body: () => Promise<void>): void => void test(name, { timeout }, body);
  const skip = (name: string): void => void test.skip(name);
  declareTests(subject, {
    describe: (name, body) => void describe(name, body),
    test: Object.assign(declare, { skip }),
  });
}

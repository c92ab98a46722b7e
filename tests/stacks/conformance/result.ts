import type { SkippedCheck, Theme } from "@cev/test-kit";

/** One configuration that is to be tried. */
export interface Task {
  readonly package: string;
  /** Of the table's file. */
  readonly url: string;
  readonly configuration: string;
}

/** A check that did not pass. */
export interface FailedCheck {
  readonly theme: Theme | null;
  readonly name: string;
  readonly finding: string;
}

/** What came of one configuration. */
export interface TaskResult {
  readonly package: string;
  readonly configuration: string;
  readonly passedCount: number;
  readonly failed: readonly FailedCheck[];
  readonly skipped: readonly SkippedCheck[];
  readonly seconds: number;
}

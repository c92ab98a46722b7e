import { isCevError } from "@cev/core";

/** What a run may expect to fail. */
export interface Excuses {
  /** Something that the stack cannot make up for was done to it. */
  readonly mayFail: boolean;
  readonly mayOverflow: boolean;
  /** A part was away when the power came back: what is read of redundancy that is not known to be right is refused. */
  readonly mayBeDegraded: boolean;
}

/** The run cannot go on, and nothing is wrong with that. */
export class Excused extends Error {}

/** Decides of each error whether it is a finding, and keeps those. */
export class Judge {
  readonly findings: string[] = [];
  /** Of the step in which the first of them was found; -1: of none. */
  foundAt = -1;
  /** The step under way; -1: none. */
  stepIndex = -1;
  /** Errors that had to be expected. */
  excusedCount = 0;

  found(finding: string): void {
    if (this.findings.length === 0) this.foundAt = this.stepIndex;
    this.findings.push(finding);
  }

  error(what: string, error: unknown, excuses: Excuses, isCancelled = false): void {
    const code = isCevError(error) ? error.code : null;
    // A bug is one whatever was done to the stack.
    if (code !== null && code !== "CEV_PROGRAM") {
      if (isCancelled && code === "CEV_CANCELLED") return;
      const isExpected =
        (excuses.mayOverflow && code === "CEV_NO_SPACE") ||
        (excuses.mayBeDegraded && code === "CEV_DEGRADED");
      if (excuses.mayFail || isExpected) {
        this.excusedCount++;
        return;
      }
    }
    this.found(`${what} failed: ${textOf(error)}`);
  }

  /** What ended the run. */
  ended(error: unknown): void {
    if (error instanceof Excused) return;
    this.found(error instanceof Error && !isCevError(error) ? error.message : textOf(error));
  }
}

/** An error in words. */
export function textOf(error: unknown): string {
  return isCevError(error) ? `${error.code} ${error.message}` : String(error);
}

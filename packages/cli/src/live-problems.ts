import type { Problem } from "@cev/core";
import { complainOf } from "./output.ts";
import type { Progress } from "./progress.ts";

/** Tells of what goes wrong at the moment it does, below a line of progress where one is drawn. */
export class LiveProblems {
  /** Drawn at the moment. */
  progress: Progress | null = null;
  /** All that it told of. */
  readonly told: Problem[] = [];
  #isLive = false;

  /** What was reported before is told already. */
  begin(): void {
    this.#isLive = true;
  }

  readonly tell = (problem: Problem): void => {
    if (!this.#isLive) return;
    this.told.push(problem);
    const write = (): void => complainOf([problem]);
    if (this.progress === null) write();
    else this.progress.interruptWith(write);
  };
}

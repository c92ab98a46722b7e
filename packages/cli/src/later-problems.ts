import type { Stack } from "@cev/stack";
import { complainOf } from "./output.ts";

/** Tells of what goes wrong while a stack is in use: what was known before is told already. */
export class LaterProblems {
  readonly #stack: Stack;
  #count: number;

  constructor(stack: Stack) {
    this.#stack = stack;
    this.#count = stack.problems.length;
  }

  tell(): void {
    const fresh = this.#stack.problems.slice(this.#count);
    this.#count += fresh.length;
    complainOf(fresh);
  }
}

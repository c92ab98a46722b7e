import { Op } from "@cev/core";
import type { Io } from "@cev/core";
import type { Random } from "../random.ts";

/** Which requests something happens to. A request must fit all that is given. */
export interface RequestRule {
  readonly op?: Op;
  /** Only requests that touch this range: `length` bytes from `offset` on (default: one byte). A flush touches none. */
  readonly offset?: number;
  readonly length?: number;
  /** How many requests that fit are let through first. Default 0. */
  readonly skipCount?: number;
  /** After how many it is used up. Default: never. */
  readonly countMax?: number;
  /** Of each request that fits. Default 1. */
  readonly probability?: number;
  /** A last question, put to the request itself. */
  readonly accepts?: (io: Io) => boolean;
}

interface ActiveRule<R extends RequestRule> {
  readonly rule: R;
  seenCount: number;
  usedCount: number;
}

/** Rules in the order they were added; the first that catches a request decides. */
export class RuleList<R extends RequestRule> {
  readonly #random: Random;
  #active: ActiveRule<R>[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  get rules(): readonly R[] {
    return this.#active.map(({ rule }) => rule);
  }

  add(rule: R): void {
    this.#active.push({ rule, seenCount: 0, usedCount: 0 });
  }

  clear(): void {
    this.#active = [];
  }

  /** The rule that catches this request, counted as used; null: none does. `canCatch` is asked before a rule counts the request. */
  find(io: Io, canCatch: (rule: R, io: Io) => boolean = always): R | null {
    for (const active of this.#active)
      if (canCatch(active.rule, io) && this.#catches(active, io)) return active.rule;
    return null;
  }

  #catches(active: ActiveRule<R>, io: Io): boolean {
    const { rule } = active;
    if (rule.op !== undefined && rule.op !== io.op) return false;
    if (rule.offset !== undefined) {
      const end = rule.offset + (rule.length ?? 1);
      if (io.op === Op.flush || io.offset >= end || io.offset + io.length <= rule.offset) return false;
    }
    if (active.usedCount >= (rule.countMax ?? Infinity) || rule.accepts?.(io) === false) return false;
    if (active.seenCount++ < (rule.skipCount ?? 0)) return false;
    if (rule.probability !== undefined && !this.#random.chance(rule.probability)) return false;
    active.usedCount++;
    return true;
  }
}

function always(): boolean {
  return true;
}

import { CevError, Op } from "@cev/core";
import type { Details, LayerDescription } from "@cev/core";
import type { RequestRule } from "../layers/request-rule.ts";

/** Which requests, as in a stack file. */
export interface RuleOptions {
  readonly op?: keyof typeof Op;
  /** From, and the first byte behind. */
  readonly range?: readonly [number, number];
  readonly skip?: number;
  readonly count?: number;
  readonly probability?: number;
}

export const RULE_PROPERTIES: Details = {
  op: { enum: ["read", "write", "flush", "discard", "writeZeroes"], description: "Only this operation" },
  range: {
    type: "array",
    minItems: 2,
    maxItems: 2,
    items: { type: "integer", minimum: 0 },
    description: "Only requests that touch these bytes: the first one, and the one behind the last",
  },
  skip: { type: "integer", minimum: 0, default: 0, description: "So many are let through first" },
  count: { type: "integer", minimum: 1, description: "After so many it is used up" },
  probability: {
    type: "number",
    minimum: 0,
    maximum: 1,
    default: 1,
    description: "Of each request that fits",
  },
};

export const ATOMIC_LENGTH_PROPERTY: Details = {
  type: "integer",
  minimum: 512,
  multipleOf: 512,
  description: "Bytes that are written whole or not at all",
};

export const SEED_PROPERTY: Details = {
  type: "integer",
  minimum: 0,
  default: 1,
  description: "The same seed does the same to the same requests",
};

/** What a rule can be about. */
export interface RuleSite {
  /** The option it is from, for errors: `rules[0]`. */
  readonly at: string;
  /** Of the device. Bytes. */
  readonly size: number;
  /** The operations that what it does can be done to. Default: all. */
  readonly ops?: readonly (keyof typeof Op)[];
}

/** Throws `CEV_INVALID` for a rule that can never catch a request: a test with it would test nothing. */
export function ruleOf(rule: RuleOptions, site: RuleSite): RequestRule {
  checkRule(rule, site);
  const { op, range, skip, count, probability } = rule;
  return {
    ...(op !== undefined && { op: Op[op] }),
    ...(range !== undefined && { offset: range[0], length: range[1] - range[0] }),
    ...(skip !== undefined && { skipCount: skip }),
    ...(count !== undefined && { countMax: count }),
    ...(probability !== undefined && { probability }),
  };
}

function checkRule({ op, range }: RuleOptions, { at, size, ops }: RuleSite): void {
  if (op !== undefined && ops !== undefined && !ops.includes(op))
    throw unusable(`${at}.op`, `this never happens to ${op}, only to ${ops.join(", ")}`);
  if (range === undefined) return;
  if (op === "flush" || (ops?.length === 1 && ops[0] === "flush"))
    throw unusable(`${at}.range`, "a flush touches no bytes");
  checkRange(`${at}.range`, range[0], range[1] - range[0], size);
}

/** Throws `CEV_INVALID` for a range that no request can touch. */
export function checkRange(at: string, offset: number, length: number, size: number): void {
  if (length <= 0) throw unusable(at, "it ends before it begins, or is empty");
  if (offset >= size) throw unusable(at, `it begins behind the end of the device, which has ${size} bytes`);
}

/** Of an option with which nothing would ever happen. */
export function unusable(at: string, why: string): CevError {
  return new CevError("CEV_INVALID", `${at}: ${why}`);
}

/** Checked options are plain data, as they were in a file. */
export function asPlain(options: object): LayerDescription["options"] {
  return options as LayerDescription["options"];
}

import { Op } from "@cev/core";
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

export const SEED_PROPERTY: Details = {
  type: "integer",
  minimum: 0,
  default: 1,
  description: "The same seed does the same to the same requests",
};

export function ruleOf({ op, range, skip, count, probability }: RuleOptions): RequestRule {
  return {
    ...(op !== undefined && { op: Op[op] }),
    ...(range !== undefined && { offset: range[0], length: range[1] - range[0] }),
    ...(skip !== undefined && { skipCount: skip }),
    ...(count !== undefined && { countMax: count }),
    ...(probability !== undefined && { probability }),
  };
}

/** Checked options are plain data, as they were in a file. */
export function asPlain(options: object): LayerDescription["options"] {
  return options as LayerDescription["options"];
}

import type { Driver } from "@cev/core";
import { CorruptionLayer } from "../layers/corruption-layer.ts";
import type { Corruption } from "../layers/corruption-layer.ts";
import { filterDriver } from "./open-filter.ts";
import {
  ATOMIC_LENGTH_PROPERTY,
  RULE_PROPERTIES,
  SEED_PROPERTY,
  asPlain,
  ruleOf,
  unusable,
} from "./rule-options.ts";
import type { RuleOptions, RuleSite } from "./rule-options.ts";

/** Options of the driver. */
export interface CorruptionDriverOptions {
  readonly seed?: number;
  readonly atomicLength?: number;
  readonly memoryMax?: number;
  readonly rules?: readonly CorruptionRuleOptions[];
}

interface CorruptionRuleOptions extends RuleOptions {
  readonly corruption: Corruption["kind"];
  readonly bits?: number;
  readonly delta?: number;
  readonly keep?: "prefix" | "suffix" | "random";
}

/** `@cev/test-kit/corruption` in a stack file: data goes wrong without an error. */
export const corruptionDriver: Driver<CorruptionDriverOptions> = filterDriver<CorruptionDriverOptions>({
  name: "corruption",
  summary: "makes data go wrong without an error, by rules",
  properties: {
    atomicLength: ATOMIC_LENGTH_PROPERTY,
    memoryMax: {
      type: "integer",
      minimum: 0,
      default: 1_048_576,
      description: "Bytes of what was overwritten that are remembered, for stale reads",
    },
    rules: {
      type: "array",
      description: "The first that fits a request decides",
      items: {
        type: "object",
        properties: {
          ...RULE_PROPERTIES,
          corruption: {
            enum: [
              "bitRot",
              "evilRead",
              "misdirectedWrite",
              "misdirectedRead",
              "phantomWrite",
              "tornWrite",
              "staleRead",
              "lostFlush",
            ],
            description: "What goes wrong",
          },
          bits: {
            type: "integer",
            minimum: 1,
            default: 1,
            description: "Of bitRot and evilRead: how many turn over",
          },
          delta: { type: "integer", description: "Of misdirected requests: bytes, a multiple of the block" },
          keep: {
            enum: ["prefix", "suffix", "random"],
            default: "prefix",
            description: "Of tornWrite: what is done",
          },
        },
        required: ["corruption"],
        additionalProperties: false,
      },
    },
    seed: SEED_PROPERTY,
  },
  make(lower, options) {
    const { rules = [], ...settings } = options;
    const layer = new CorruptionLayer(lower, { ...settings, describedAs: asPlain(options) });
    const { size, logicalBlockSize } = lower.limits;
    for (const [index, rule] of rules.entries()) {
      const at = `rules[${index}]`;
      const { corruption: kind, bits = 1, delta = logicalBlockSize, keep = "prefix", ...others } = rule;
      const { ops, word } = KINDS[kind];
      for (const one of ["bits", "delta", "keep"] as const)
        if (rule[one] !== undefined && one !== word)
          throw unusable(`${at}.${one}`, `${kind} has no such setting`);
      if (delta === 0 || delta % logicalBlockSize !== 0)
        throw unusable(`${at}.delta`, `${delta} is no multiple of the block of ${logicalBlockSize}`);
      layer.add({ ...ruleOf(others, { at, size, ops }), corruption: { kind, bits, delta, keep } });
    }
    return layer;
  },
});

interface KindOfCorruption {
  /** What it can happen to. */
  readonly ops: NonNullable<RuleSite["ops"]>;
  /** The setting it has; null: none. */
  readonly word: "bits" | "delta" | "keep" | null;
}

const CHANGES = ["write", "discard", "writeZeroes"] as const;

const KINDS: { readonly [Kind in Corruption["kind"]]: KindOfCorruption } = {
  bitRot: { ops: ["read", ...CHANGES], word: "bits" },
  evilRead: { ops: ["read"], word: "bits" },
  misdirectedWrite: { ops: CHANGES, word: "delta" },
  misdirectedRead: { ops: ["read"], word: "delta" },
  phantomWrite: { ops: CHANGES, word: null },
  tornWrite: { ops: ["write", "writeZeroes"], word: "keep" },
  staleRead: { ops: ["read"], word: null },
  lostFlush: { ops: ["flush"], word: null },
};

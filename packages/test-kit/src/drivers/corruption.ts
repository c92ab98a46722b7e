import { CevError } from "@cev/core";
import type { Driver } from "@cev/core";
import { CorruptionLayer } from "../layers/corruption-layer.ts";
import type { Corruption } from "../layers/corruption-layer.ts";
import { filterDriver } from "./open-filter.ts";
import { RULE_PROPERTIES, SEED_PROPERTY, asPlain, ruleOf } from "./rule-options.ts";
import type { RuleOptions } from "./rule-options.ts";

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
    atomicLength: {
      type: "integer",
      minimum: 512,
      description: "Bytes that are written whole or not at all",
    },
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
    for (const rule of rules) {
      const {
        corruption: kind,
        bits = 1,
        delta = lower.limits.logicalBlockSize,
        keep = "prefix",
        ...others
      } = rule;
      if (delta % lower.limits.logicalBlockSize !== 0)
        throw new CevError(
          "CEV_INVALID",
          `delta ${delta} is no multiple of the block of ${lower.limits.logicalBlockSize}`,
        );
      layer.add({ ...ruleOf(others), corruption: { kind, bits, delta, keep } });
    }
    return layer;
  },
});

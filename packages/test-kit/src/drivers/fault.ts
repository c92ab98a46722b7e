import { ERROR_CODES } from "@cev/core";
import type { Driver, ErrorCode } from "@cev/core";
import { FaultLayer } from "../layers/fault-layer.ts";
import type { Fault } from "../layers/fault-layer.ts";
import { filterDriver } from "./open-filter.ts";
import { RULE_PROPERTIES, SEED_PROPERTY, asPlain, checkRange, ruleOf } from "./rule-options.ts";
import type { RuleOptions } from "./rule-options.ts";

/** Options of the driver. */
export interface FaultOptions {
  readonly seed?: number;
  readonly rules?: readonly (RuleOptions & { readonly fault: string })[];
  /** Offset and length. */
  readonly badRanges?: readonly (readonly [number, number])[];
}

const CODES = Object.keys(ERROR_CODES).join("|");

/** `@cev/test-kit/fault` in a stack file: requests fail, wait or hang. */
export const faultDriver: Driver<FaultOptions> = filterDriver<FaultOptions>({
  name: "fault",
  summary: "makes requests fail, wait or hang, by rules",
  properties: {
    badRanges: {
      type: "array",
      items: { type: "array", minItems: 2, maxItems: 2, items: { type: "integer", minimum: 0 } },
      description: "Offset and length of places that cannot be read until they are written",
    },
    rules: {
      type: "array",
      description: "The first that fits a request decides",
      items: {
        type: "object",
        properties: {
          ...RULE_PROPERTIES,
          fault: {
            type: "string",
            pattern: `^(?:(?:error|errorAfter|half) (?:${CODES})|delay \\d{1,9} ?ms|hang)$`,
            description:
              '"error CODE", "errorAfter CODE", "half CODE", "delay 20ms" or "hang"; the code is one of cev\'s',
          },
        },
        required: ["fault"],
        additionalProperties: false,
      },
    },
    seed: SEED_PROPERTY,
  },
  make(lower, options, { environment }) {
    const layer = new FaultLayer(lower, environment, {
      seed: options.seed ?? 1,
      describedAs: asPlain(options),
    });
    const { size } = lower.limits;
    for (const [index, { fault, ...rule }] of (options.rules ?? []).entries())
      layer.add({ ...ruleOf(rule, { at: `rules[${index}]`, size }), fault: faultOf(fault) });
    for (const [index, [offset, length]] of (options.badRanges ?? []).entries()) {
      checkRange(`badRanges[${index}]`, offset, length, size);
      layer.addBadRange(offset, length);
    }
    return layer;
  },
});

function faultOf(text: string): Fault {
  const [kind, value = ""] = text.split(" ", 2);
  switch (kind) {
    case "delay":
      return { kind, delayMs: Number.parseInt(value, 10) };
    case "error":
    case "errorAfter":
    case "half":
      return { kind, code: value as ErrorCode };
    default:
      return { kind: "hang" };
  }
}

import type { Details, Json } from "@cev/core";
import type { AnyDriver } from "./registry.ts";

/** The keys that the stack itself acts on, whatever the driver. */
const COMMON: Details = {
  lower: { type: "string", description: "The device below" },
  lowers: { type: "array", items: { type: "string" }, description: "The devices below" },
  members: { type: "array", items: { type: "string" }, description: "The devices below" },
  readOnly: { type: "boolean", description: "This device is not written" },
};

/**
 * A JSON Schema of stack files, for editors: with the options of these drivers. Entries of other drivers (packages, relative
 * paths) may have any option.
 */
export function stackSchema(drivers: Iterable<AnyDriver>): Details {
  const known = [...drivers];
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "cev stack",
    type: "object",
    required: ["devices"],
    additionalProperties: false,
    properties: {
      devices: { type: "object", additionalProperties: { $ref: "#/$defs/device" } },
      exports: { type: "object", additionalProperties: { type: "string" } },
    },
    $defs: {
      device: {
        type: "object",
        required: ["driver"],
        properties: { driver: { type: "string" }, ...COMMON },
        allOf: known.map(branchOf),
      },
    },
  };
}

/** If the driver is this one, these are its options. */
function branchOf({ name, summary, optionsSchema, lowers }: AnyDriver): Json {
  const { properties, required } = optionsSchema;
  return {
    if: { properties: { driver: { const: name } } },
    then: {
      description: summary,
      properties: {
        driver: {},
        ...(lowers.countMax > 0 ? COMMON : { readOnly: COMMON["readOnly"]! }),
        ...asObject(properties),
      },
      required: ["driver", ...(Array.isArray(required) ? (required as readonly Json[]) : [])],
      additionalProperties: false,
    },
  };
}

function asObject(value: Json | undefined): Details {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Details) : {};
}

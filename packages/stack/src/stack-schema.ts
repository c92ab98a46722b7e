import type { Details, Json } from "@cev/core";
import { detailsIn, optionsSchemaOf } from "./options-schema.ts";
import type { DescribedDriver } from "./options-schema.ts";

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
export function stackSchema(drivers: Iterable<DescribedDriver>): Details {
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

/** What devices below are named by: one of these is there. */
const lowerKeysOf = ({ lowers }: DescribedDriver): readonly string[] =>
  lowers.countMin > 1 ? ["lowers", "members"] : ["lower", "lowers", "members"];

/** If the driver is this one, these are its options. */
function branchOf(driver: DescribedDriver): Json {
  const { name, summary, lowers } = driver;
  const { properties, required, additionalProperties = false, $defs } = optionsSchemaOf(driver);
  return {
    if: { properties: { driver: { const: name } } },
    then: {
      // References within the options are to be looked for there, and not in the schema of the whole file.
      ...($defs === undefined ? {} : { $id: `urn:cev:options:${encodeURIComponent(name)}`, $defs }),
      description: summary,
      properties: {
        driver: {},
        ...(lowers.countMax > 0 ? COMMON : { readOnly: COMMON["readOnly"]! }),
        ...detailsIn(properties),
      },
      ...(lowers.countMin > 0 && { anyOf: lowerKeysOf(driver).map((key) => ({ required: [key] })) }),
      required: ["driver", ...(Array.isArray(required) ? (required as readonly Json[]) : [])],
      // Nothing is known of options that are not listed: then any may be given.
      additionalProperties: properties === undefined || additionalProperties,
    },
  };
}

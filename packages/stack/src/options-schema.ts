import type { Details, Json } from "@cev/core";
import type { AnyDriver } from "./registry.ts";

/** What of a driver tells people and editors how it is used. */
export type DescribedDriver = Pick<AnyDriver, "name" | "summary" | "options" | "optionsSchema" | "lowers">;

/**
 * The JSON Schema of a driver's options: its own, else what its validator says of itself (Standard JSON Schema), else that of any
 * options.
 */
export function optionsSchemaOf({
  options,
  optionsSchema,
}: Pick<AnyDriver, "options" | "optionsSchema">): Details {
  if (optionsSchema !== undefined) return optionsSchema;
  try {
    const schema = options["~standard"].jsonSchema?.input({ target: "draft-2020-12" });
    // Through JSON: what is no plain data, as a validator's own objects, is not to get into files.
    if (schema !== undefined) return JSON.parse(JSON.stringify(schema)) as Details;
  } catch {
    // A validator may have checks that no JSON Schema can express: then nothing is known of the options, and all are checked by itself.
  }
  return { type: "object" };
}

/** The options that are known by name, each with its own JSON Schema. */
export function optionProperties(driver: Pick<AnyDriver, "options" | "optionsSchema">): {
  readonly [name: string]: Details;
} {
  return detailsIn(optionsSchemaOf(driver)["properties"]) as { readonly [name: string]: Details };
}

/** The value, where it is an object; else an empty one. */
export function detailsIn(value: Json | undefined): Details {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Details) : {};
}

import type { StandardSchema } from "@cev/core";

/** Checks one option: null when it is fine, else what it should be. */
export type OptionCheck = (value: unknown) => string | null;

/** A schema of options that are checked one by one; `required` ones may not be left out. */
export function schemaOf<Options>(
  checks: Readonly<Record<string, OptionCheck>>,
  required: readonly string[] = [],
): StandardSchema<Options> {
  return {
    "~standard": {
      version: 1,
      vendor: "cev",
      validate(value) {
        const given = value ?? {};
        if (typeof given !== "object" || Array.isArray(given))
          return { issues: [{ message: "the options are an object" }] };
        const issues: { message: string; path: string[] }[] = [];
        for (const [name, one] of Object.entries(given)) {
          const message = Object.hasOwn(checks, name) ? checks[name]!(one) : "there is no such option";
          if (message !== null) issues.push({ message, path: [name] });
        }
        for (const name of required)
          if (!Object.hasOwn(given, name)) issues.push({ message: "this option is needed", path: [name] });
        return issues.length > 0 ? { issues } : { value: given as Options };
      },
    },
  };
}

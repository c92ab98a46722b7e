import type { Details, StandardSchema } from "@cev/core";

/** What a stack file may say. */
export interface Options {
  /** Bytes to leave out at the beginning of the device, a multiple of its block size. */
  readonly start: number;
}

/** The options as a Standard Schema: any validator that follows it will do, such as Valibot or Zod. */
export const options: StandardSchema<Options> = {
  "~standard": {
    version: 1,
    vendor: "__PACKAGE__",
    validate(value) {
      const { start = 0, ...others } = (value ?? {}) as { readonly [name: string]: unknown };
      const issues = Object.keys(others).map((name) => ({
        message: "there is no such option",
        path: [name],
      }));
      if (typeof start !== "number" || !Number.isSafeInteger(start) || start < 0)
        issues.push({ message: "bytes, from 0 on", path: ["start"] });
      return issues.length > 0 ? { issues } : { value: { start: start as number } };
    },
  },
};

/** The same as a JSON Schema, for editors and documentation. */
export const optionsSchema: Details = {
  type: "object",
  additionalProperties: false,
  properties: {
    start: {
      type: "integer",
      minimum: 0,
      default: 0,
      description: "Bytes to leave out at the beginning of the device, a multiple of its block size.",
    },
  },
};

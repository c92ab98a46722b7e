import { SIZE_MAX } from "@cev/core";
import type { Details, StandardSchema } from "@cev/core";

/** How devices are linked. */
export interface DriveLinkOptions {
  /** Bytes of each device, in their order: a device of another size is refused. Left out: they are taken as they are. */
  readonly sizes?: readonly number[];
}

/** The options as a Standard Schema. */
export const driveLinkOptions: StandardSchema<DriveLinkOptions> = {
  "~standard": {
    version: 1,
    vendor: "cev",
    validate(value) {
      if (value === undefined || value === null) return { value: {} };
      if (typeof value !== "object" || Array.isArray(value))
        return { issues: [{ message: "the options are an object" }] };
      const { sizes, ...others } = value as Record<string, unknown>;
      const [unknown] = Object.keys(others);
      if (unknown !== undefined) return { issues: [{ message: "there is no such option", path: [unknown] }] };
      if (sizes === undefined) return { value: {} };
      if (Array.isArray(sizes) && sizes.every(isSize)) return { value: { sizes } };
      return { issues: [{ message: "a list of sizes in bytes, one for each device", path: ["sizes"] }] };
    },
  },
};

/** The same as a JSON Schema. */
export const driveLinkOptionsSchema: Details = {
  type: "object",
  additionalProperties: false,
  properties: {
    sizes: {
      type: "array",
      items: { type: "integer", minimum: 1, maximum: SIZE_MAX },
      description:
        "Bytes of each device, in their order: a device of another size is refused. By default they are taken as they are, with a warning.",
    },
  },
};

const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0;

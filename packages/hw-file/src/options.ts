import { CevError } from "@cev/core";
import type { Details, StandardSchema } from "@cev/core";

/** Which file, and how. */
export interface FileOptions {
  /** Of a regular file or a block device. */
  readonly path: string;
  /** Open it for reading alone; not one byte is written. Default false. */
  readonly readOnly?: boolean;
  /** Make the file, sparse, where there is none. Needs `size`. Default false. */
  readonly create?: boolean;
  /** Bytes, a multiple of 512. Of the file that `create` makes; one that exists must have this size. */
  readonly size?: number;
  /**
   * Do short writes on the thread that asks for them: faster, and a device that hangs holds up the whole program. Default false.
   */
  readonly writeAtOnce?: boolean;
}

const SECTOR_SIZE = 512;

/** Throws `CEV_INVALID` for options that make no sense. */
export function checkFileOptions(options: FileOptions): FileOptions {
  const [issue] = issuesOf(options);
  if (issue === undefined) return options;
  throw new CevError("CEV_INVALID", `${issue.path[0] ?? "options"}: ${issue.message}`);
}

/** The options as a Standard Schema. */
export const fileOptions: StandardSchema<FileOptions> = {
  "~standard": {
    version: 1,
    vendor: "cev",
    validate(value) {
      const issues = issuesOf(value);
      return issues.length > 0 ? { issues } : { value: value as FileOptions };
    },
  },
};

/** The same as a JSON Schema. */
export const fileOptionsSchema: Details = {
  type: "object",
  properties: {
    create: {
      type: "boolean",
      default: false,
      description: "Make the file, sparse, where there is none; needs size",
    },
    path: {
      type: "string",
      minLength: 1,
      description: "Regular file or block device; in a stack file, relative to that file",
    },
    readOnly: { type: "boolean", default: false, description: "Open it for reading alone" },
    size: {
      type: "integer",
      minimum: SECTOR_SIZE,
      multipleOf: SECTOR_SIZE,
      description: "Bytes of the file that create makes; one that exists must have this size",
    },
    writeAtOnce: {
      type: "boolean",
      default: false,
      description: "Faster short writes; where they wait for the device, the whole program waits",
    },
  },
  required: ["path"],
  additionalProperties: false,
};

interface Issue {
  readonly message: string;
  readonly path: readonly string[];
}

function issuesOf(value: unknown): Issue[] {
  if (typeof value !== "object" || value === null) return [{ message: "expected an object", path: [] }];
  const {
    path,
    readOnly = false,
    create = false,
    size,
    writeAtOnce = false,
    ...others
  } = value as Record<string, unknown>;
  const issues: Issue[] = Object.keys(others).map((name) => ({ message: "unknown option", path: [name] }));
  const check = (isFine: boolean, name: string, message: string): void => {
    if (!isFine) issues.push({ message, path: [name] });
  };
  check(typeof path === "string" && path.length > 0 && !path.includes("\0"), "path", "expected a path");
  check(typeof readOnly === "boolean", "readOnly", "expected true or false");
  check(typeof create === "boolean", "create", "expected true or false");
  check(typeof writeAtOnce === "boolean", "writeAtOnce", "expected true or false");
  check(create !== true || readOnly !== true, "create", "a file that is opened read-only is not made");
  check(create !== true || size !== undefined, "size", "expected the size of the file to make");
  const isSize =
    typeof size === "number" && Number.isSafeInteger(size) && size > 0 && size % SECTOR_SIZE === 0;
  check(size === undefined || isSize, "size", `expected bytes, a multiple of ${SECTOR_SIZE}`);
  return issues;
}

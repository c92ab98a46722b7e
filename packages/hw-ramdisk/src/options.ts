import { CevError } from "@cev/core";
import type { Details, StandardSchema } from "@cev/core";

/** What a ramdisk is made of. */
export interface RamdiskOptions {
  /** Bytes; a multiple of `blockSize`. */
  readonly size: number;
  /** The smallest unit of requests in bytes, a power of two from 1 to 65,536. Default 512. */
  readonly blockSize?: number;
}

const BLOCK_SIZE_DEFAULT = 512;
const BLOCK_SIZE_MAX = 65_536;

/** Options with every default filled in. Throws `CEV_INVALID`. */
export function checkRamdiskOptions(options: RamdiskOptions): Required<RamdiskOptions> {
  const [issue] = issuesOf(options);
  if (issue !== undefined)
    throw new CevError("CEV_INVALID", `${issue.path[0] ?? "options"}: ${issue.message}`);
  return { blockSize: BLOCK_SIZE_DEFAULT, ...options };
}

/** The options as a Standard Schema. */
export const ramdiskOptions: StandardSchema<Required<RamdiskOptions>> = {
  "~standard": {
    version: 1,
    vendor: "cev",
    validate(value) {
      const issues = issuesOf(value);
      return issues.length > 0 ? { issues } : { value: checkRamdiskOptions(value as RamdiskOptions) };
    },
  },
};

/** The same as a JSON Schema. */
export const ramdiskOptionsSchema: Details = {
  type: "object",
  properties: {
    blockSize: {
      type: "integer",
      minimum: 1,
      maximum: BLOCK_SIZE_MAX,
      default: BLOCK_SIZE_DEFAULT,
      description: "Smallest unit of requests in bytes, a power of two",
    },
    size: { type: "integer", minimum: 0, description: "Size in bytes, a multiple of blockSize" },
  },
  required: ["size"],
  additionalProperties: false,
};

interface Issue {
  readonly message: string;
  readonly path: readonly string[];
}

function issuesOf(value: unknown): Issue[] {
  if (typeof value !== "object" || value === null) return [{ message: "expected an object", path: [] }];
  const { size, blockSize = BLOCK_SIZE_DEFAULT, ...others } = value as Record<string, unknown>;
  const issues: Issue[] = Object.keys(others).map((name) => ({ message: "unknown option", path: [name] }));
  if (!isBlockSize(blockSize)) {
    issues.push({ message: `expected a power of two from 1 to ${BLOCK_SIZE_MAX}`, path: ["blockSize"] });
  } else if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0 || size % blockSize !== 0) {
    issues.push({ message: `expected bytes, a multiple of ${blockSize}`, path: ["size"] });
  }
  return issues;
}

const isBlockSize = (value: unknown): value is number =>
  typeof value === "number" &&
  Number.isInteger(value) &&
  value >= 1 &&
  value <= BLOCK_SIZE_MAX &&
  (value & (value - 1)) === 0;

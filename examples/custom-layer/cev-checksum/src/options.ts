import type { Details, StandardSchema } from "@cev/core";
import { BLOCK_SIZE_MAX, BLOCK_SIZE_MIN } from "./header.ts";

/** How a device with checksums is made. */
export interface CreateOptions {
  /** Bytes that one checksum is for. Default: the logical block size of the device below. */
  readonly blockSize?: number;
}

/** What a stack file may say. */
export interface Options {
  /** Make it, if the first 4 KiB of the device are zero. */
  readonly create?: CreateOptions;
  /** Bytes of memory that the sums may take. */
  readonly memoryMax: number;
}

const MEMORY_MAX = 67_108_864;

/** The options as a Standard Schema: any validator that follows it will do, such as Valibot or Zod. */
export const options: StandardSchema<Options> = {
  "~standard": {
    version: 1,
    vendor: "cev-checksum",
    validate(value) {
      const { create, memoryMax = MEMORY_MAX, ...others } = (value ?? {}) as Given;
      const issues: { message: string; path: string[] }[] = namesOf(others, []);
      if (!isCount(memoryMax)) issues.push({ message: "bytes", path: ["memoryMax"] });
      issues.push(...createIssues(create));
      if (issues.length > 0) return { issues };
      const made = create === undefined ? {} : { create: create as CreateOptions };
      return { value: { ...made, memoryMax: memoryMax as number } };
    },
  },
};

interface Given {
  readonly [name: string]: unknown;
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0;

function createIssues(create: unknown): { message: string; path: string[] }[] {
  if (create === undefined) return [];
  if (typeof create !== "object" || create === null || Array.isArray(create))
    return [{ message: "an object, perhaps an empty one", path: ["create"] }];
  const { blockSize, ...others } = create as Given;
  const issues = namesOf(others, ["create"]);
  const isBlockSize =
    isCount(blockSize) &&
    blockSize >= BLOCK_SIZE_MIN &&
    blockSize <= BLOCK_SIZE_MAX &&
    Number.isInteger(Math.log2(blockSize));
  if (blockSize !== undefined && !isBlockSize)
    issues.push({
      message: `a power of two from ${BLOCK_SIZE_MIN} to ${BLOCK_SIZE_MAX}`,
      path: ["create", "blockSize"],
    });
  return issues;
}

function namesOf(others: object, path: readonly string[]): { message: string; path: string[] }[] {
  return Object.keys(others).map((name) => ({ message: "there is no such option", path: [...path, name] }));
}

/** The same as a JSON Schema, for editors and documentation. */
export const optionsSchema: Details = {
  type: "object",
  additionalProperties: false,
  properties: {
    create: {
      type: "object",
      additionalProperties: false,
      description: "Make it, if the first 4 KiB of the device are zero.",
      properties: {
        blockSize: {
          type: "integer",
          minimum: BLOCK_SIZE_MIN,
          maximum: BLOCK_SIZE_MAX,
          description:
            "Bytes that one checksum is for, a power of two; by default the logical block size of the device below.",
        },
      },
    },
    memoryMax: {
      type: "integer",
      minimum: 1,
      default: MEMORY_MAX,
      description: "Bytes of memory that the sums may take.",
    },
  },
};

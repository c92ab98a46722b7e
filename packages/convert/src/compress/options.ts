import { SIZE_MAX } from "@cev/core";
import type { Details, StandardSchema } from "@cev/core";
import { schemaOf } from "../check-options.ts";
import { CHUNK_SIZE_MAX, CHUNK_SIZE_MIN, LEVEL_MAX } from "./superblock.ts";

/** How a compressed device is made. */
export interface CreateOptions {
  /** Bytes that it shows, a multiple of the chunk size. Default: as much as is sure to fit. */
  readonly size?: number;
  /** Bytes that are compressed together: a power of two from 4 KiB to 1 MiB. Default 32 KiB. */
  readonly chunkSize?: number;
  /** Default zstd where this Node has it, else deflate. */
  readonly codec?: "zstd" | "deflate";
  /** 1 (fast, default) to 9 (small). */
  readonly level?: number;
}

/** Settings of `formatCompressed`. */
export interface FormatOptions extends CreateOptions {
  /** Bytes of the journal: a multiple of 8 KiB, at least 16 KiB. */
  readonly journalLength?: number;
  readonly mapMemoryMax?: number;
}

/** How a compressed device is opened. */
export interface CompressOptions {
  /** Make it, if the first 72 KiB of the device are zero. */
  readonly create?: CreateOptions;
  /** Bytes of memory that the map may take. Default 64 MiB. */
  readonly mapMemoryMax?: number;
  /** Discards below what a commit has left wholly free. Default true. */
  readonly discards?: boolean;
}

export const MAP_MEMORY_MAX = 67_108_864;

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0;

const createOptions = schemaOf<CreateOptions>({
  size: (value) => (isCount(value) ? null : "bytes"),
  chunkSize: (value) =>
    isCount(value) && value >= CHUNK_SIZE_MIN && value <= CHUNK_SIZE_MAX && Number.isInteger(Math.log2(value))
      ? null
      : `bytes, a power of two from ${CHUNK_SIZE_MIN} to ${CHUNK_SIZE_MAX}`,
  codec: (value) => (value === "zstd" || value === "deflate" ? null : "zstd or deflate"),
  level: (value) => (isCount(value) && value <= LEVEL_MAX ? null : `1 to ${LEVEL_MAX}`),
});

/** The options as a Standard Schema. */
export const compressOptions: StandardSchema<CompressOptions> = schemaOf({
  create: createIssue,
  discards: (value) => (typeof value === "boolean" ? null : "true or false"),
  mapMemoryMax: (value) => (isCount(value) ? null : "bytes"),
});

function createIssue(value: unknown): string | null {
  const result = createOptions["~standard"].validate(value);
  if (result instanceof Promise || result.issues === undefined) return null;
  const [issue] = result.issues;
  return issue!.path === undefined
    ? issue!.message
    : `${issue!.path.map(String).join(".")}: ${issue!.message}`;
}

/** The same as a JSON Schema. */
export const compressOptionsSchema: Details = {
  type: "object",
  additionalProperties: false,
  properties: {
    create: {
      type: "object",
      additionalProperties: false,
      description: "Make it, if the first 72 KiB of the device are zero.",
      properties: {
        size: {
          type: "integer",
          minimum: 1,
          maximum: SIZE_MAX,
          description:
            "Bytes that it shows, a multiple of the chunk size; by default as much as is sure to fit.",
        },
        chunkSize: {
          type: "integer",
          enum: Array.from({ length: 9 }, (_, power) => CHUNK_SIZE_MIN * 2 ** power),
          default: 32_768,
          description: "Bytes that are compressed together: a power of two.",
        },
        codec: { enum: ["zstd", "deflate"], description: "By default zstd where this Node has it." },
        level: {
          type: "integer",
          minimum: 1,
          maximum: LEVEL_MAX,
          default: 1,
          description: "1 is fast, 9 small.",
        },
      },
    },
    discards: {
      type: "boolean",
      default: true,
      description: "Discard below what a commit has left free, by whole chunks.",
    },
    mapMemoryMax: {
      type: "integer",
      minimum: 1,
      maximum: SIZE_MAX,
      default: MAP_MEMORY_MAX,
      description: "Bytes of memory that the map may take.",
    },
  },
};

import type { Details, StandardSchema } from "@cev/core";
import { schemaOf } from "../check-options.ts";

const BLOCK_SIZE_MAX = 1_048_576;

/** How large the blocks are to be. */
export interface BlockSizeOptions {
  /** Bytes: a power of two from 1 to 1 MiB. */
  readonly logicalBlockSize: number;
}

/** The options as a Standard Schema. */
export const blockSizeOptions: StandardSchema<BlockSizeOptions> = schemaOf(
  {
    logicalBlockSize: (value) =>
      isBlockSize(value) ? null : `bytes, a power of two from 1 to ${BLOCK_SIZE_MAX}`,
  },
  ["logicalBlockSize"],
);

/** The same as a JSON Schema. */
export const blockSizeOptionsSchema: Details = {
  type: "object",
  additionalProperties: false,
  required: ["logicalBlockSize"],
  properties: {
    logicalBlockSize: {
      type: "integer",
      enum: Array.from({ length: 21 }, (_, power) => 2 ** power),
      description: "Bytes of a block as it is seen above: a power of two.",
    },
  },
};

function isBlockSize(value: unknown): value is number {
  if (!Number.isSafeInteger(value)) return false;
  const size = value as number;
  return size >= 1 && size <= BLOCK_SIZE_MAX && (size & (size - 1)) === 0;
}

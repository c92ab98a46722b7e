import type { Details, StandardSchema } from "@cev/core";
import { schemaOf } from "../check-options.ts";

const WORD_LENGTHS = [2, 4, 8] as const;
/** Bytes of a word. */
export type WordLength = (typeof WORD_LENGTHS)[number];

/** Which bytes trade places. */
export interface ByteSwapOptions {
  /** Bytes of a word, whose order is turned round: 2, 4 or 8. */
  readonly wordLength: WordLength;
}

/** The options as a Standard Schema. */
export const byteSwapOptions: StandardSchema<ByteSwapOptions> = schemaOf(
  { wordLength: (value) => (WORD_LENGTHS.some((length) => length === value) ? null : "2, 4 or 8 bytes") },
  ["wordLength"],
);

/** The same as a JSON Schema. */
export const byteSwapOptionsSchema: Details = {
  type: "object",
  additionalProperties: false,
  required: ["wordLength"],
  properties: {
    wordLength: {
      type: "integer",
      enum: WORD_LENGTHS,
      description: "Bytes of a word, whose order is turned round.",
    },
  },
};

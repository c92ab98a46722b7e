import type { Layer } from "../layer.ts";

/**
 * What a layer knows of a run of its bytes:
 *
 * - `asBelow`: the same bytes as there; all that is known of those is known of these.
 * - `recoded`: made of those bytes; they take room where those do, but zeroes there are no zeroes here (encryption).
 * - `data`: they take room; what they hold is not known.
 * - `zeroes`: they take room and read as zeroes.
 * - `hole`: they take no room and read as zeroes.
 * - `discarded`: they take no room and read as anything.
 */
export type RunContent = "asBelow" | "recoded" | "data" | "zeroes" | "hole" | "discarded";

/** Where bytes lie on a lower. */
export interface RunPlace {
  readonly lower: Layer;
  /** Byte offset on the lower. */
  readonly lowerOffset: number;
}

/**
 * A run of bytes of a layer, and what the layer itself knows of it. `zeroes` and `hole` are promises: whoever copies the
 * device leaves those bytes out. In doubt it is `data`, which is never wrong.
 */
export interface Run {
  /** Bytes, more than 0. */
  readonly length: number;
  readonly content: RunContent;
  /** The lower that holds these bytes, from `lowerOffset` on; null: none, or more than one together. */
  readonly lower: Layer | null;
  /** Byte offset on the lower; 0 without one. */
  readonly lowerOffset: number;
  /** Further places a read may be served from, beside `lower`: zeroes count only where all of them have them. */
  readonly others?: readonly RunPlace[];
  /** The lower is one of several that hold them (mirrors), or the others can tell what it holds (parity). */
  readonly hasCopies?: boolean;
}

/** One run, which is the same bytes on a lower: the answer of a layer that changes nothing, or only where things lie. */
export function runAsBelow(lower: Layer, lowerOffset: number, length: number): readonly Run[] {
  return [{ length, content: "asBelow", lower, lowerOffset }];
}

/** One run with nothing below it. */
export function runOf(content: "data" | "zeroes" | "hole" | "discarded", length: number): readonly Run[] {
  return [{ length, content, lower: null, lowerOffset: 0 }];
}

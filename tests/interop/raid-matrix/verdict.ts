import type { ArrayCase } from "./cases.ts";

/**
 * The ways: `read`, made and filled by the kernel, read by cev; `create`, made and written by cev, judged by the kernel;
 * `write`, made and filled by the kernel, written by cev, judged by the kernel.
 */
export const WAYS = ["read", "create", "write"] as const;
export type Way = (typeof WAYS)[number];

/** How one case ended: an array, one way, with a set of members missing. */
export interface Verdict {
  readonly way: Way;
  readonly array: ArrayCase;
  readonly missing: readonly number[];
  /** What was found wrong; empty: the case passed. */
  readonly failures: readonly string[];
  /** What programs printed on the way, for a case that failed. */
  readonly log: string;
}

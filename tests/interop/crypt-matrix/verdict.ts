import type { CryptCase } from "./cases.ts";

/**
 * The ways: `read`, made and filled by cryptsetup and the kernel, read by cev; `write`, the same, written by cev, judged by both;
 * `create`, made and written by cev, judged by both; `qemu`: made by QEMU and by cev, written by cev, read by the other; `images`: those of
 * cryptsetup's own tests; `crash`: operations on a header with power cuts among their writes; `hostile`: headers
 * with every bit and word of their fields changed, and JSON by chance.
 */
export const WAYS = ["read", "write", "create", "qemu", "images", "crash", "hostile"] as const;
export type Way = (typeof WAYS)[number];

/** How one case ended. */
export interface Verdict {
  readonly way: Way;
  /** The row of the table. */
  readonly kind: string;
  /** Names the case. */
  readonly id: string;
  /** cev said, by name, that it does not know this. */
  readonly isRefused: boolean;
  /** What was found wrong; empty: the case passed. */
  readonly failures: readonly string[];
  /** What programs printed on the way, for a case that failed. */
  readonly log: string;
}

/** The row that a case counts in: "luks2 aes-xts". */
export function kindOf({ format, encryption }: CryptCase): string {
  return `${format} ${encryption.split("-").slice(0, 2).join("-")}`;
}

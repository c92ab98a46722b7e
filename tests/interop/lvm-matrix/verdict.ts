/**
 * The ways: `read`, made and filled by the kernel, read by cev, with each physical volume missing in turn; `write`, made by the
 * kernel, written by cev, judged by the kernel; `change`, golden groups changed by cev's commands, judged by the kernel; `command`, made and changed by cev's commands, judged by the kernel, changed by
 * LVM2, and read by cev again; `hostile`, the golden sets with damaged metadata, opened by cev; `crash`, each
 * command of cev's with a power cut before every change of a disk, opened by cev and by LVM2.
 */
export const WAYS = ["read", "write", "change", "command", "hostile", "crash"] as const;
export type Way = (typeof WAYS)[number];

/** How one case ended. */
export interface Verdict {
  readonly way: Way;
  /** The row of the table. */
  readonly type: string;
  /** Names the case: "raid5_ls-1" is that shape without physical volume 1. */
  readonly id: string;
  /** What was found wrong; empty: the case passed. */
  readonly failures: readonly string[];
  /** What programs printed on the way, for a case that failed. */
  readonly log: string;
}

import type { Problem } from "@cev/core";
import { complain, say } from "./output.ts";
import type { LostRange } from "./salvage.ts";

const LOST_LISTED_MAX = 100;

/** What came of a copy. */
export interface CopyReport {
  readonly device: string;
  /** Bytes that went over, those of holes and of lost ranges too. */
  readonly copied: number;
  /** What could not be read, and is zeroes in the target. */
  readonly lost: readonly LostRange[];
  /** All that was warned of. */
  readonly problems: readonly Problem[];
}

/** Tells what a copy has lost: in a line for people, and where that is asked for as JSON, with all else that came of it. */
export function reportCopy({ device, copied, lost, problems }: CopyReport, isJson: boolean): void {
  if (isJson) {
    const ranges = lost.map(({ start, end }) => ({ offset: start, length: end - start }));
    say(JSON.stringify({ device, copied, lost: ranges, problems }, null, 2));
  }
  if (lost.length > 0) complain(lostText(lost));
}

/** "8192 bytes could not be read and are zeroes: bytes 4096 to 8192, …". */
function lostText(lost: readonly LostRange[]): string {
  const count = lost.reduce((sum, { start, end }) => sum + end - start, 0);
  const listed = lost.slice(0, LOST_LISTED_MAX).map(({ start, end }) => `${start} to ${end}`);
  const more = lost.length > LOST_LISTED_MAX ? ` and ${lost.length - LOST_LISTED_MAX} more ranges` : "";
  return `${count} bytes could not be read and are zeroes: bytes ${listed.join(", ")}${more}`;
}

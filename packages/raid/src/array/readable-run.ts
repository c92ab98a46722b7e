import type { Member } from "./member.ts";

/** How far what is said of the first byte of a range of a member's data holds: that it can be read, or that it cannot. */
export interface ReadableRun {
  readonly canRead: boolean;
  readonly end: number;
}

/** Looks at a member's state alone, and asks it nothing. `start`, `end`: in bytes of its data. */
export function readableRun(member: Member, start: number, end: number): ReadableRun {
  let cut = end;
  if (member.isRebuilding && start < member.recoveredTo) cut = Math.min(cut, member.recoveredTo);
  for (const bad of member.badBlocks) {
    if (bad.end <= start) continue;
    cut = Math.min(cut, bad.start > start ? bad.start : bad.end);
    break;
  }
  return { canRead: member.canRead(start, cut), end: cut };
}

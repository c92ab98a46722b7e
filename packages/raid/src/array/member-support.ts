import type { Member } from "./member.ts";

/** True where every device does this by itself. */
export function hasNative(members: readonly Member[], op: "discard" | "writeZeroes"): boolean {
  return members.every(({ device }) => device === null || device.layer.support[op] === "native");
}

/** The longest of what the devices prefer, in bytes. */
export function preferredOf(members: readonly Member[]): number {
  let longest = 4096;
  for (const { device } of members)
    if (device !== null) longest = Math.max(longest, device.layer.limits.ioLengthPreferred);
  return longest;
}

import { readFileSync } from "node:fs";

/** Memory of a process that is really there, in KiB. */
export function residentKib(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  if (match === null) throw new Error(`process ${pid} shows no memory`);
  return Number(match[1]);
}

/** The middle one of several. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

/** How the second half of a run compares to its first, its first tenth (in which memory is still being taken) left out. */
export function growth(samples: readonly number[]): {
  readonly early: number;
  readonly late: number;
  readonly percent: number;
} {
  const settled = samples.slice(Math.ceil(samples.length / 10));
  const third = Math.max(1, Math.floor(settled.length / 3));
  const early = median(settled.slice(0, third));
  const late = median(settled.slice(-third));
  return { early, late, percent: (100 * (late - early)) / early };
}

import type { RecordStep, Recording } from "../../src/index.ts";

/** All steps of a recording. */
export async function stepsOf(recording: Recording): Promise<RecordStep[]> {
  const steps: RecordStep[] = [];
  for await (const step of recording.steps()) steps.push(step);
  return steps;
}

/** A step in a few words. */
export function shapeOf({ kind, offset, length, isDurable, mark }: RecordStep): string {
  return kind === "mark" ? mark : `${kind} ${offset}+${length}${isDurable ? " fua" : ""}`;
}

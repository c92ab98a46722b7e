import type { Layer, Run } from "@cev/core";
import { runLength } from "./chunk-runs.ts";
import type { Snapshot } from "./snapshot.ts";

// Chunks are looked up one by one, on the main thread: the next question goes on from there.
const CHUNKS_MAX = 16_384;

/** Where what a snapshot shows of a range lies: in its store, or still in the origin. */
export function chunkExtents(
  snapshot: Snapshot,
  { origin, store }: { readonly origin: Layer; readonly store: Layer },
  {
    offset,
    length,
    countMax,
  }: { readonly offset: number; readonly length: number; readonly countMax: number },
): readonly Run[] {
  const { chunkSize } = snapshot.layout;
  const runs: Run[] = [];
  const end = offset + Math.min(length, CHUNKS_MAX * chunkSize);
  for (let at = offset; at < end && runs.length < countMax;) {
    const chunk = Math.floor(at / chunkSize);
    const newChunk = snapshot.table.get(chunk);
    const part = runLength(snapshot, at, end - at, newChunk);
    const isStored = newChunk >= 0;
    const lowerOffset = isStored ? at + (newChunk - chunk) * chunkSize : at;
    runs.push({ length: part, content: "asBelow", lower: isStored ? store : origin, lowerOffset });
    at += part;
  }
  return runs;
}

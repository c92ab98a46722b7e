import type { AbortSignalLike } from "../cancel-scope.ts";
import { CevError } from "../errors.ts";
import type { Layer } from "../layer.ts";
import { ExtentList } from "./merge.ts";
import type { Extent } from "./merge.ts";
import { walk } from "./walk.ts";
import type { ExtentsReport } from "./walk.ts";

/** Settings of a question for extents. */
export interface ExtentsOptions {
  /** At most so many; what comes back may then end before the range does. Default 1,048,576. */
  readonly countMax?: number;
  /**
   * How many pieces are looked at, at most about: stripes, chunks, parts of files, of which many may become one extent. What comes back
   * may then end before the range does, and is one extent at least. Default: all there are.
   */
  readonly effortMax?: number;
  /** Neighbours on different holders stay apart. Default false. */
  readonly byHolder?: boolean;
  /** Ends the question: it rejects with `CEV_CANCELLED`. */
  readonly signal?: AbortSignalLike;
  /** Hears of layers that failed to tell what they know: their ranges count as data. */
  readonly report?: ExtentsReport;
  /** Lets others have their turn, between the parts of a long question. By default they have none. */
  readonly pause?: () => Promise<void>;
}

const COUNT_MAX_DEFAULT = 1_048_576;
// How far the layers are asked in one go: a map of a large device takes thousands of system calls.
const WALK_COUNT_MAX = 256;

/**
 * What a stack knows of a range of its uppermost layer: extents without gaps from `offset` on, aligned to that layer's blocks.
 * An extent is zero only if a read that begins now gives zeroes: a request that is under way may change the answer, one that
 * completed before does not come too late. Both `offset` and `length` are multiples of the layer's block.
 */
export async function extentsOf(
  layer: Layer,
  offset: number,
  length: number,
  options: ExtentsOptions = {},
): Promise<Extent[]> {
  const { countMax = COUNT_MAX_DEFAULT, effortMax = Infinity, byHolder = false } = options;
  const { signal, report, pause } = options;
  const { size, logicalBlockSize } = layer.limits;
  if (!(offset >= 0 && length >= 0 && offset + length <= size))
    throw new CevError("CEV_OUT_OF_RANGE", `${layer.name} ends at byte ${size}`, { layer: layer.name });
  if (offset % logicalBlockSize !== 0 || length % logicalBlockSize !== 0)
    throw new CevError("CEV_INVALID", `the range is not whole blocks of ${logicalBlockSize} bytes`, {
      layer: layer.name,
    });
  const list = new ExtentList(logicalBlockSize, byHolder);
  let at = 0;
  let effort = 0;
  // One more than is wanted: the last may not be all there is of its kind.
  while (at < length && list.extents.length <= countMax && (effort < effortMax || list.length === 0)) {
    if (signal?.aborted === true) throw cancelled(layer);
    if (at > 0 && pause !== undefined) await pause();
    const answer = walk(layer, offset + at, length - at, WALK_COUNT_MAX, report);
    const isLater = answer instanceof Promise && signal !== undefined;
    const found = await (isLater ? unlessCancelled(answer, signal, layer) : answer);
    effort += found.length;
    for (const extent of found) {
      list.add(extent);
      at += extent.length;
    }
  }
  // Part of a block is said nothing of.
  if (at === length) list.end();
  return list.extents.length > countMax ? list.extents.slice(0, countMax) : list.extents;
}

/** A layer may wait long for somebody who knows (a server that is away): whoever cancels does not wait with it. */
async function unlessCancelled<T>(answer: Promise<T>, signal: AbortSignalLike, layer: Layer): Promise<T> {
  let onAbort: (() => void) | null = null;
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(cancelled(layer));
    signal.addEventListener("abort", onAbort);
  });
  try {
    return await Promise.race([answer, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort!);
  }
}

function cancelled(layer: Layer): CevError {
  return new CevError("CEV_CANCELLED", "the question for extents was cancelled", { layer: layer.name });
}

/** The same for a range of any alignment: the layer is asked for whole blocks, and what is around the range is left out. */
export async function extentsOfBytes(
  layer: Layer,
  offset: number,
  length: number,
  options: ExtentsOptions,
): Promise<Extent[]> {
  const block = layer.limits.logicalBlockSize;
  const start = offset - (offset % block);
  const end = Math.ceil((offset + length) / block) * block;
  return clipped(await extentsOf(layer, start, end - start, options), offset - start, length);
}

/** Some layer of the stack can tell more than that everything is data. */
export function knowsExtents(layer: Layer): boolean {
  if (layer.runs === undefined) return false;
  return layer.lowers.length === 0 || layer.lowers.some(knowsExtents);
}

/** Leaves out the first `skipped` bytes, and what comes `length` bytes after them. */
function clipped(extents: readonly Extent[], skipped: number, length: number): Extent[] {
  const inside: Extent[] = [];
  let at = -skipped;
  for (const extent of extents) {
    const from = Math.max(at, 0);
    const to = Math.min(at + extent.length, length);
    if (to > from) inside.push({ ...extent, length: to - from });
    at += extent.length;
  }
  return inside;
}

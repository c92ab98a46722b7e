import { CevError } from "../errors.ts";
import type { Layer } from "../layer.ts";
import { common } from "./merge.ts";
import type { Extent } from "./merge.ts";
import type { Run, RunContent, RunPlace } from "./run.ts";

/** Hears of a layer that could not tell what it knows: its range counts as data. */
export type ExtentsReport = (error: unknown, layer: Layer) => void;

type Later<T> = T | Promise<T>;

/**
 * Asks a layer, and those below it, for what they know of a range. Returns extents from `offset` on, at most about `countMax`,
 * which may cover less of it. As long as all layers answer at once nothing else runs meanwhile, so that all answers are of one
 * moment. Where one answers later, what stands on it is asked again afterwards: a layer that moved its bytes to another place
 * meanwhile (a snapshot that saved them) must not pass for what has been put there since.
 */
export function walk(
  layer: Layer,
  offset: number,
  length: number,
  countMax: number,
  report: ExtentsReport | undefined,
): Later<readonly Extent[]> {
  const asked: Asked = { layer, offset, length, countMax, report };
  const answer = ask(asked);
  if (answer instanceof Promise) return answer.then((runs) => goOn(asked, runs, [], 0, true));
  return goOn(asked, answer, [], 0, false);
}

interface Asked {
  readonly layer: Layer;
  readonly offset: number;
  readonly length: number;
  readonly countMax: number;
  readonly report: ExtentsReport | undefined;
}

/** Goes down from the runs of one layer, beginning with the one at `index`. `isLater`: time has passed since it was asked. */
function goOn(
  asked: Asked,
  runs: readonly Run[],
  found: Extent[],
  index: number,
  isLater: boolean,
): Later<readonly Extent[]> {
  const { layer, countMax, report } = asked;
  for (let at = index; at < runs.length && found.length < countMax; at++) {
    const run = runs[at]!;
    if (run.lower === null) {
      found.push(extentWithout(run, layer));
      continue;
    }
    const below = walkBelow(run, run.lower, countMax - found.length, report);
    if (below instanceof Promise) {
      return below.then((extents) => {
        const isWhole = take(found, run, extents);
        return isWhole ? goOn(asked, runs, found, at + 1, true) : confirm(asked, runs, found);
      });
    }
    if (!take(found, run, below)) break;
  }
  return isLater ? confirm(asked, runs, found) : found;
}

/** Asks what holds a run, and whatever else a read may be served from. */
function walkBelow(
  run: Run,
  lower: Layer,
  countMax: number,
  report: ExtentsReport | undefined,
): Later<readonly Extent[]> {
  let found = walk(lower, run.lowerOffset, run.length, countMax, report);
  for (const other of run.others ?? []) {
    const before = found;
    found =
      before instanceof Promise
        ? before.then((extents) => narrow(extents, other, countMax, report))
        : narrow(before, other, countMax, report);
  }
  return found;
}

/** Of what was found, only what the other place has as well. */
function narrow(
  found: readonly Extent[],
  { lower, lowerOffset }: RunPlace,
  countMax: number,
  report: ExtentsReport | undefined,
): Later<readonly Extent[]> {
  if (!found.some(({ isZero, isHole }) => isZero || isHole)) return found;
  const length = found.reduce((sum, extent) => sum + extent.length, 0);
  const theirs = walk(lower, lowerOffset, length, countMax, report);
  if (theirs instanceof Promise) return theirs.then((extents) => common(found, extents));
  return common(found, theirs);
}

/** Adds what was found below a run. False: not all of the run is covered. */
function take(found: Extent[], run: Run, below: readonly Extent[]): boolean {
  let length = 0;
  for (const extent of below) {
    length += extent.length;
    found.push(extentOver(extent, run));
  }
  return length >= run.length;
}

/** Asks once more where everything lies: zeroes that came from below count only where it still lies there. */
function confirm(asked: Asked, runs: readonly Run[], found: Extent[]): Later<readonly Extent[]> {
  const isFromBelow = runs.some(({ lower }) => lower !== null);
  if (!isFromBelow || !found.some(({ isZero, isHole }) => isZero || isHole)) return found;
  const again = ask(asked);
  if (again instanceof Promise) return again.then((after) => settle(runs, after, found));
  return settle(runs, again, found);
}

function settle(before: readonly Run[], after: readonly Run[], found: Extent[]): readonly Extent[] {
  return isSame(before, after) ? found : found.map((extent) => ({ ...extent, isZero: false, isHole: false }));
}

const isAtSamePlace = (one: RunPlace, other: RunPlace | undefined): boolean =>
  one.lower === other?.lower && one.lowerOffset === other.lowerOffset;

function isSame(before: readonly Run[], after: readonly Run[]): boolean {
  return before.every((run, index) => {
    const other = after[index];
    const isThere = run.lower === other?.lower && run.lowerOffset === other.lowerOffset;
    const others = run.others ?? [];
    const areThere =
      others.length === (other?.others ?? []).length &&
      others.every((place, at) => isAtSamePlace(place, other?.others?.[at]));
    return isThere && areThere && run.length === other.length && run.content === other.content;
  });
}

/** What the layer says, made to fit: no more than was asked for, and nothing that the lower does not have. */
function ask({ layer, offset, length, countMax, report }: Asked): Later<readonly Run[]> {
  if (layer.runs === undefined) return unknown(length);
  const failed = (error: unknown): readonly Run[] => {
    report?.(error, layer);
    return unknown(length);
  };
  try {
    const runs = layer.runs(offset, length, countMax);
    if (!("then" in runs)) return fitted(runs, length, layer);
    return Promise.resolve(runs)
      .then((later) => fitted(later, length, layer))
      .catch(failed);
  } catch (error) {
    return failed(error);
  }
}

function fitted(runs: readonly Run[], length: number, layer: Layer): readonly Run[] {
  const first = runs[0];
  if (first !== undefined && runs.length === 1 && first.length === length && isSound(first)) return runs;
  const fitting: Run[] = [];
  let left = length;
  for (const run of runs) {
    if (left === 0) break;
    const part = { ...run, length: Math.min(run.length, left) };
    if (!isSound(part))
      throw new CevError("CEV_PROGRAM", `${layer.name} told of a run that cannot be`, { layer: layer.name });
    fitting.push(part);
    left -= part.length;
  }
  if (fitting.length > 0) return fitting;
  throw new CevError("CEV_PROGRAM", `${layer.name} told of no run at all`, { layer: layer.name });
}

function isSound({ length, lower, lowerOffset, content, others }: Run): boolean {
  if (!(Number.isSafeInteger(length) && length > 0)) return false;
  if (lower === null) return content !== "asBelow" && content !== "recoded";
  return isWithin({ lower, lowerOffset }, length) && (others ?? []).every((place) => isWithin(place, length));
}

function isWithin({ lower, lowerOffset }: RunPlace, length: number): boolean {
  return lowerOffset >= 0 && lowerOffset + length <= lower.limits.size;
}

const unknown = (length: number): readonly Run[] => [
  { length, content: "data", lower: null, lowerOffset: 0 },
];

function extentWithout({ length, content, hasCopies }: Run, layer: Layer): Extent {
  const isHole = content === "hole" || content === "discarded";
  const isZero = content === "hole" || content === "zeroes";
  // Data of a layer on several others is held by them together.
  const holder = isHole || layer.lowers.length > 1 ? null : layer;
  return { length, isHole, isZero, holder, hasCopies: hasCopies === true };
}

function extentOver(below: Extent, { content, hasCopies }: Run): Extent {
  const { length, isHole, isZero, holder } = below;
  return {
    length,
    isHole: isHoleOver(content, isHole),
    isZero: content === "asBelow" ? isZero : content === "zeroes" || content === "hole",
    holder,
    hasCopies: hasCopies === true || below.hasCopies,
  };
}

function isHoleOver(content: RunContent, isHole: boolean): boolean {
  return content === "asBelow" || content === "recoded"
    ? isHole
    : content === "hole" || content === "discarded";
}

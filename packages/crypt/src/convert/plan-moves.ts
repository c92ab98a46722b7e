/** A keyslot's area, where it is and where it is to go. Bytes; offsets are multiples of 4096. */
export interface MovingArea {
  readonly id: number;
  readonly offset: number;
  readonly target: number;
}

/** One area to be copied: nothing that is in use lies at its destination. */
export interface AreaMove {
  readonly id: number;
  readonly from: number;
  readonly to: number;
}

/** A range of bytes. */
export interface ByteRange {
  readonly offset: number;
  readonly end: number;
}

const ALIGNMENT = 4096;

/**
 * Finds moves, one after the other, that bring every area to its target without ever copying over an area that is in use, its own former
 * place included: an area whose target overlaps the place where it is goes by way of a free one. All areas take `size` bytes and stay
 * within `window`; the targets do not overlap. Null: a target is outside, or no such way was found.
 */
export function planMoves(
  areas: readonly MovingArea[],
  size: number,
  window: ByteRange,
): readonly AreaMove[] | null {
  const places = new Map(areas.map(({ id, offset }) => [id, offset]));
  const moves: AreaMove[] = [];
  const move = (id: number, to: number): void => {
    moves.push({ id, from: places.get(id)!, to });
    places.set(id, to);
  };
  const isFree = (offset: number, exceptId: number | null): boolean =>
    [...places].every(([id, place]) => id === exceptId || Math.abs(place - offset) >= size);
  const isOutside = ({ target }: MovingArea): boolean => target < window.offset || target + size > window.end;
  if (areas.some(isOutside)) return null;
  const pending = new Set(areas.filter(({ offset, target }) => offset !== target));
  // An area that only makes room goes away once: so this ends.
  const moved = new Set<MovingArea>();
  while (pending.size > 0) {
    const before = moves.length;
    for (const area of pending) {
      const { id, target } = area;
      if (!isFree(target, id)) continue;
      if (Math.abs(places.get(id)! - target) < size && places.get(id) !== target) {
        const detour = freePlaces(places, size, window).find((place) => Math.abs(place - target) >= size);
        if (detour === undefined) continue;
        move(id, detour);
      }
      if (places.get(id) !== target) move(id, target);
      pending.delete(area);
    }
    if (moves.length > before || pending.size === 0) continue;
    const [place] = freePlaces(places, size, window);
    const stuck = [...pending].find((area) => !moved.has(area));
    if (place === undefined || stuck === undefined) return null;
    moved.add(stuck);
    move(stuck.id, place);
  }
  return moves;
}

/** Places of `size` bytes between the areas: of each gap its beginning and its end. */
export function freePlaces(
  places: ReadonlyMap<number, number>,
  size: number,
  { offset: start, end }: ByteRange,
): number[] {
  const found: number[] = [];
  let at = alignUp(start);
  for (const place of [...[...places.values()].sort((left, right) => left - right), end]) {
    const last = alignDown(place - size);
    if (last >= at) found.push(last, at);
    at = Math.max(at, alignUp(place + size));
  }
  return found;
}

/** What of a range no area of `size` bytes takes. */
export function gapsBetween(
  offsets: readonly number[],
  size: number,
  { offset: start, end }: ByteRange,
): ByteRange[] {
  const gaps: ByteRange[] = [];
  let at = start;
  for (const offset of offsets.toSorted((left, right) => left - right)) {
    if (offset > at) gaps.push({ offset: at, end: Math.min(offset, end) });
    at = Math.max(at, offset + size);
  }
  if (at < end) gaps.push({ offset: at, end });
  return gaps;
}

function alignUp(value: number): number {
  return Math.ceil(value / ALIGNMENT) * ALIGNMENT;
}

function alignDown(value: number): number {
  return Math.floor(value / ALIGNMENT) * ALIGNMENT;
}

import fc from "fast-check";
import { expect, test } from "vitest";
import { freePlaces, gapsBetween, planMoves } from "../src/convert/plan-moves.ts";
import type { MovingArea } from "../src/convert/plan-moves.ts";

const BLOCK = 4096;

/** Areas of `size` blocks at random places, with targets that do not overlap. */
const problems = fc
  .record({
    size: fc.integer({ min: 1, max: 9 }),
    gaps: fc.array(fc.nat(12), { minLength: 1, maxLength: 8 }),
    targetGaps: fc.array(fc.nat(12), { minLength: 8, maxLength: 8 }),
    order: fc.nat(),
    room: fc.nat(40),
  })
  .map(({ size, gaps, targetGaps, order, room }) => {
    const placed = (list: readonly number[]): number[] => {
      let at = 0;
      return list.map((gap) => {
        const offset = at + gap;
        at = offset + size;
        return offset;
      });
    };
    const offsets = placed(gaps);
    const targets = placed(targetGaps.slice(0, gaps.length));
    const shift = order % gaps.length;
    const areas: MovingArea[] = offsets.map((offset, id) => ({
      id,
      offset: offset * BLOCK,
      target: targets[(id + shift) % gaps.length]! * BLOCK,
    }));
    const end = Math.max(...offsets, ...targets) + size + room;
    return { areas, size: size * BLOCK, window: { offset: 0, end: end * BLOCK } };
  });

test("no move goes over an area in use, all stay in the window, and all arrive", () => {
  let plannedCount = 0;
  fc.assert(
    fc.property(problems, ({ areas, size, window }) => {
      const moves = planMoves(areas, size, window);
      if (moves === null) return;
      plannedCount++;
      const places = new Map(areas.map(({ id, offset }) => [id, offset]));
      for (const { id, from, to } of moves) {
        expect(places.get(id)).toBe(from);
        for (const place of places.values()) expect(Math.abs(place - to)).toBeGreaterThanOrEqual(size);
        expect(to).toBeGreaterThanOrEqual(window.offset);
        expect(to + size).toBeLessThanOrEqual(window.end);
        places.set(id, to);
      }
      for (const { id, target } of areas) expect(places.get(id)).toBe(target);
    }),
    { numRuns: 500 },
  );
  expect(plannedCount).toBeGreaterThan(50);
});

test("with room for one more area beside a shift of all, there is always a way", () => {
  for (let used = 1; used < 256; used++) {
    const ids = Array.from({ length: 8 }, (_, id) => id).filter((id) => (used & (1 << id)) !== 0);
    for (const step of [7 * BLOCK, -7 * BLOCK]) {
      const areas = ids.map((id) => {
        const low = BLOCK * (8 + 16 * id);
        return { id, offset: step > 0 ? low : low - step, target: step > 0 ? low + step : low };
      });
      const size = 16 * BLOCK;
      const window = { offset: 0, end: BLOCK * (8 + 16 * 8 + 7 + 16) };
      expect(planMoves(areas, size, window), `${used}, ${step}`).not.toBeNull();
    }
  }
});

test("without any room a shift is not possible, and a target outside never is", () => {
  const area = { id: 0, offset: 0, target: BLOCK };
  expect(planMoves([area], 2 * BLOCK, { offset: 0, end: 3 * BLOCK })).toBeNull();
  expect(planMoves([area], 2 * BLOCK, { offset: 0, end: 4 * BLOCK })).toBeNull();
  expect(planMoves([area], 2 * BLOCK, { offset: 0, end: 5 * BLOCK })).toEqual([
    { id: 0, from: 0, to: 3 * BLOCK },
    { id: 0, from: 3 * BLOCK, to: BLOCK },
  ]);
  expect(
    planMoves([{ id: 0, offset: BLOCK, target: 0 }], BLOCK, { offset: BLOCK, end: 9 * BLOCK }),
  ).toBeNull();
});

test("free places and gaps lie between the areas", () => {
  const window = { offset: BLOCK, end: 10 * BLOCK };
  expect(freePlaces(new Map([[0, 4 * BLOCK]]), 2 * BLOCK, window)).toEqual(
    [2, 1, 8, 6].map((at) => at * BLOCK),
  );
  expect(gapsBetween([4 * BLOCK, 6 * BLOCK], 2 * BLOCK, window)).toEqual([
    { offset: BLOCK, end: 4 * BLOCK },
    { offset: 8 * BLOCK, end: 10 * BLOCK },
  ]);
  expect(gapsBetween([], 2 * BLOCK, window)).toEqual([window]);
});

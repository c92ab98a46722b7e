import * as fc from "fast-check";
import { expect, test } from "vitest";
import { RangeLock } from "../src/range-lock.ts";
import type { RangeLockEntry } from "../src/range-lock.ts";

const step = fc.oneof(
  fc.record({
    offset: fc.nat({ max: 20 }),
    length: fc.integer({ min: 1, max: 8 }),
    isExclusive: fc.boolean(),
  }),
  fc.record({ release: fc.nat() }),
);

test("no two locks that conflict are held, in any order of taking and giving back, and all are granted in the end", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const locks = new RangeLock();
      const held: RangeLockEntry[] = [];
      let askedCount = 0;
      let grantedCount = 0;
      const granted = (entry: RangeLockEntry): void => {
        for (const other of held) {
          const overlaps = entry.offset < other.end && other.offset < entry.end;
          expect(overlaps && (entry.isExclusive || other.isExclusive)).toBe(false);
        }
        held.push(entry);
        grantedCount++;
      };
      const release = (index: number): void => {
        const [entry] = held.splice(index % held.length, 1);
        if (entry !== undefined) locks.release(entry);
      };
      for (const one of steps) {
        if ("release" in one) {
          if (held.length > 0) release(one.release);
        } else {
          askedCount++;
          locks.acquire(one.offset, one.length, one.isExclusive, granted, null);
        }
        expect(locks.heldCount).toBe(held.length);
      }
      while (held.length > 0) release(0);
      expect(grantedCount).toBe(askedCount);
    }),
  );
});

test("a lock that waits is not overtaken by one that overlaps it", () => {
  const locks = new RangeLock();
  const order: string[] = [];
  const entries: RangeLockEntry[] = [];
  const granted = (entry: RangeLockEntry, name: string): void => {
    order.push(name);
    entries.push(entry);
  };
  locks.acquire(0, 10, false, granted, "shared");
  locks.acquire(5, 10, true, granted, "exclusive");
  locks.acquire(0, 10, false, granted, "late and shared");
  locks.acquire(20, 10, true, granted, "elsewhere");
  expect(order).toEqual(["shared", "elsewhere"]);
  locks.release(entries[0]!);
  expect(order).toEqual(["shared", "elsewhere", "exclusive"]);
  locks.release(entries[2]!);
  expect(order.at(-1)).toBe("late and shared");
});

test("a long row of locks that are given back as soon as they are granted overflows nothing", () => {
  const locks = new RangeLock();
  const entries: RangeLockEntry[] = [];
  let grantedCount = 0;
  locks.acquire(0, 10, true, (entry) => void entries.push(entry), null);
  for (let index = 0; index < 5000; index++) {
    const granted = (entry: RangeLockEntry): void => {
      grantedCount++;
      locks.release(entry);
    };
    locks.acquire(0, 10, true, granted, null);
  }
  locks.release(entries[0]!);
  expect(grantedCount).toBe(5000);
  expect(locks.heldCount).toBe(0);
});

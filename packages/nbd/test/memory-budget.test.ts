import { expect, test } from "vitest";
import { MemoryBudget } from "../src/memory/memory-budget.ts";
import type { BudgetUser } from "../src/memory/memory-budget.ts";

const nobody: BudgetUser = { budgetHasRoom: () => undefined };

test("memory is given out up to the limit, and buffers count", () => {
  const budget = new MemoryBudget(1000);
  budget.takeBuffer(300);
  expect(budget.tryTake(600, nobody)).toBe(true);
  expect(budget.tryTake(200, nobody)).toBe(false);
  expect(budget.tryTake(100, nobody)).toBe(true);
  expect(budget.bytesTaken).toBe(1000);
  budget.give(600);
  expect(budget.tryTake(600, nobody)).toBe(true);
});

test("one request is let in where no other holds any memory, whatever it needs", () => {
  const budget = new MemoryBudget(1000);
  budget.takeBuffer(5000);
  expect(budget.tryTake(3000, nobody)).toBe(true);
  expect(budget.tryTake(1, nobody)).toBe(false);
  budget.give(3000);
  expect(budget.tryTake(1, nobody)).toBe(true);
});

test("who waits keeps its place until there is room for it, and whoever comes later waits behind it", () => {
  const budget = new MemoryBudget(100);
  const woken: string[] = [];
  const user = (name: string): BudgetUser => ({ budgetHasRoom: () => void woken.push(name) });
  const [holder, long, short] = [user("holder"), user("long"), user("short")];
  expect(budget.tryTake(60, holder)).toBe(true);
  expect(budget.tryTake(90, long)).toBe(false);
  expect(budget.tryTake(10, short)).toBe(false);
  budget.give(30);
  expect(woken).toEqual(["long"]);
  expect(budget.tryTake(90, long)).toBe(false);
  expect(budget.tryTake(10, short)).toBe(false);
  budget.give(30);
  expect(budget.tryTake(10, short)).toBe(false);
  expect(budget.tryTake(90, long)).toBe(true);
  expect(woken).toEqual(["long", "long", "short"]);
  expect(budget.tryTake(10, short)).toBe(true);
  expect(budget.isWanted).toBe(false);
  expect(woken).toEqual(["long", "long", "short"]);
});

test("who leaves makes way for the next", () => {
  const budget = new MemoryBudget(100);
  const woken: string[] = [];
  const user = (name: string): BudgetUser => ({ budgetHasRoom: () => void woken.push(name) });
  const [holder, first, second, third] = ["holder", "first", "second", "third"].map(user);
  budget.tryTake(100, holder!);
  for (const one of [first, second, third]) budget.tryTake(50, one!);
  budget.leave(second!);
  expect(woken).toEqual([]);
  budget.leave(first!);
  expect(woken).toEqual(["third"]);
  budget.leave(third!);
  expect(budget.isWanted).toBe(false);
  budget.leave(third!);
  expect(woken).toEqual(["third"]);
});

import { expect, test } from "vitest";
import { MemoryBudget } from "../src/memory/memory-budget.ts";

test("memory is given out up to the limit, and buffers count", () => {
  const budget = new MemoryBudget(1000);
  budget.takeBuffer(300);
  expect(budget.tryTake(600)).toBe(true);
  expect(budget.tryTake(200)).toBe(false);
  expect(budget.tryTake(100)).toBe(true);
  expect(budget.bytesTaken).toBe(1000);
  budget.give(600);
  expect(budget.tryTake(600)).toBe(true);
});

test("one request is let in where no other holds any memory, whatever it needs", () => {
  const budget = new MemoryBudget(1000);
  budget.takeBuffer(5000);
  expect(budget.tryTake(3000)).toBe(true);
  expect(budget.tryTake(1)).toBe(false);
  budget.give(3000);
  expect(budget.tryTake(1)).toBe(true);
});

test("who waits is woken in turn, one for each that gives memory back", () => {
  const budget = new MemoryBudget(100);
  const woken: string[] = [];
  const wake = (_budget: MemoryBudget, name: string): void => void woken.push(name);
  budget.tryTake(100);
  const first = budget.waitForRoom(wake, "first");
  budget.waitForRoom(wake, "second");
  budget.waitForRoom(wake, "third");
  expect(budget.stopWaiting(first)).toBe(true);
  budget.give(50);
  expect(woken).toEqual(["second"]);
  budget.giveBuffer(0);
  expect(woken).toEqual(["second", "third"]);
  expect(budget.stopWaiting(first)).toBe(false);
});

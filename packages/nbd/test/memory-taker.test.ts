import { BufferPool } from "@cev/core";
import type { PoolBuffer } from "@cev/core";
import { expect, test } from "vitest";
import { MemoryBudget } from "../src/memory/memory-budget.ts";
import { MemoryTaker } from "../src/memory/memory-taker.ts";
import type { MemoryHolder } from "../src/memory/memory-taker.ts";

class Holder implements MemoryHolder {
  bytes: Uint8Array = new Uint8Array(0);
  lent: PoolBuffer | null = null;
  taken = 0;
}

test("a connection that waits for the budget and for the pool tries again when one of them has room, and not before", () => {
  const buffers = new BufferPool({ bytesMax: 4096 });
  const budget = new MemoryBudget(8192);
  const sources = { buffers, budget };
  let wokenCount = 0;
  const busy = new MemoryTaker(sources, () => undefined, false);
  const held = new Holder();
  budget.takeBuffer(4096);
  expect(busy.tryTake(held, 4096)).toBe(true);
  const waiter = new MemoryTaker(sources, () => wokenCount++, true);
  const wanted = new Holder();
  expect(waiter.tryTake(wanted, 512)).toBe(false);
  expect(waiter.tryTake(wanted, 512)).toBe(false);
  expect(wokenCount).toBe(0);
  busy.giveBack(held);
  expect(wokenCount).toBeGreaterThan(0);
  expect(waiter.tryTake(wanted, 512)).toBe(true);
  waiter.giveBack(wanted);
  expect(budget.bytesTaken).toBe(4096);
  expect(buffers.bytesLent).toBe(0);
});

test("a request that is longer than all of the budget has its turn although other connections always have something small under way", () => {
  const budget = new MemoryBudget(8192);
  const sources = { buffers: new BufferPool(), budget };
  const take = (taker: MemoryTaker, length: number): Holder | null => {
    const holder = new Holder();
    return taker.tryTake(holder, length) ? holder : null;
  };
  const connection = (): MemoryTaker => new MemoryTaker(sources, () => undefined, true);
  const [first, second, third] = [connection(), connection(), connection()];
  const early = take(first, 8192)!;
  const long = connection();
  expect(take(long, 65_536)).toBe(null);
  const small = [take(second, 4096)!, take(third, 4096)!];
  expect(take(second, 4096)).toBe(null);
  first.giveBack(early);
  expect(take(long, 65_536)).not.toBe(null);
  second.giveBack(small[0]!);
  third.giveBack(small[1]!);
  expect(budget.bytesTaken).toBe(65_536);
});

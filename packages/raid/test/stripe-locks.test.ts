import { describe, expect, it } from "vitest";
import { StripeLocks } from "../src/parity/stripe-locks.ts";
import type { StripeLock } from "../src/parity/stripe-locks.ts";

function harness(): {
  locks: StripeLocks;
  held: Map<string, StripeLock>;
  ask: (name: string, stripe: number, isExclusive: boolean) => void;
} {
  const locks = new StripeLocks();
  const held = new Map<string, StripeLock>();
  const ask = (name: string, stripe: number, isExclusive: boolean): void =>
    locks.acquire(stripe, isExclusive, (lock) => held.set(name, lock), null);
  return { locks, held, ask };
}

describe("stripe locks", () => {
  it("let one writer into a stripe at a time, first come first served", () => {
    const { locks, held, ask } = harness();
    ask("a", 1, true);
    ask("b", 1, true);
    ask("c", 2, true);
    expect([...held.keys()]).toEqual(["a", "c"]);
    locks.release(held.get("a")!);
    expect([...held.keys()]).toEqual(["a", "c", "b"]);
    locks.release(held.get("b")!);
    locks.release(held.get("c")!);
    expect(locks.lockedCount).toBe(0);
  });

  it("let readers share, but none past a writer that waits", () => {
    const { locks, held, ask } = harness();
    ask("a", 1, false);
    ask("b", 1, false);
    ask("w", 1, true);
    ask("c", 1, false);
    expect([...held.keys()]).toEqual(["a", "b"]);
    locks.release(held.get("a")!);
    expect(held.has("w")).toBe(false);
    locks.release(held.get("b")!);
    expect([...held.keys()]).toEqual(["a", "b", "w"]);
    locks.release(held.get("w")!);
    expect(held.has("c")).toBe(true);
  });

  it("do not overflow the call stack when 100,000 holders end at once", () => {
    const locks = new StripeLocks();
    let first: StripeLock | null = null;
    let count = 0;
    locks.acquire(7, true, (lock) => (first = lock), null);
    for (let index = 0; index < 100_000; index++) {
      locks.acquire(
        7,
        true,
        (lock) => {
          count++;
          locks.release(lock);
        },
        null,
      );
    }
    locks.release(first!);
    expect(count).toBe(100_000);
    expect(locks.lockedCount).toBe(0);
  });
});

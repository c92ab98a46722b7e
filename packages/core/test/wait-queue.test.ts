import { describe, expect, it } from "vitest";
import { WaitQueue } from "../src/index.ts";

const note = (log: string[], context: string): void => void log.push(context);

describe("WaitQueue", () => {
  it("G1 serves any event: entries are actions with a context, and what wakes them is handed to them", () => {
    const queue = new WaitQueue<{ level: number }>();
    const seen: [number, string][] = [];
    queue.add((event, name) => void seen.push([event.level, name]), "a");
    queue.wake({ level: 3 });
    expect(seen).toEqual([[3, "a"]]);
  });

  it("G1 runs first come first served, or newest first, as it was tuned", () => {
    for (const [order, expected] of [
      ["fifo", "abc"],
      ["lifo", "cba"],
    ] as const) {
      const queue = new WaitQueue<string[]>({ order });
      for (const name of "abc") queue.add(note, name);
      const log: string[] = [];
      expect(queue.wake(log)).toBe(3);
      expect(log.join("")).toBe(expected);
    }
  });

  it("G1 gives an exclusive wake-up to one, the oldest or the newest as it was tuned, after all others", () => {
    for (const [exclusive, expected] of [
      ["oldest", "xab"],
      ["newest", "xcb"],
    ] as const) {
      const queue = new WaitQueue<string[]>({ exclusive });
      for (const name of "abc") queue.addExclusive(note, name);
      queue.add(note, "x");
      const log: string[] = [];
      queue.wake(log);
      queue.wake(log);
      expect(log.join("")).toBe(expected);
      expect(queue.length).toBe(1);
    }
  });

  it("wakes as many exclusive entries as there is to give away", () => {
    const queue = new WaitQueue<string[]>();
    for (const name of "abcd") queue.addExclusive(note, name);
    const log: string[] = [];
    expect(queue.wake(log, 3)).toBe(3);
    expect(log.join("")).toBe("abc");
    expect(queue.wake(log, 0)).toBe(0);
  });

  it("takes an entry out before it runs it, so it runs at most once", () => {
    const queue = new WaitQueue<string[]>();
    queue.add(note, "a");
    const log: string[] = [];
    queue.wake(log);
    expect(queue.wake(log)).toBe(0);
    expect(log).toEqual(["a"]);
  });

  it("lets an entry that is added during a wake wait for the next one, also when it wakes the queue itself", () => {
    const queue = new WaitQueue<string[]>();
    const again = (log: string[], depth: number): void => {
      log.push(`a${depth}`);
      if (depth === 3) return;
      queue.add(again, depth + 1);
      if (depth === 1) queue.wake(log);
    };
    queue.add(again, 0);
    const log: string[] = [];
    queue.wake(log);
    expect(log).toEqual(["a0"]);
    queue.wake(log);
    expect(log).toEqual(["a0", "a1", "a2"]);
    queue.wake(log);
    expect(log).toEqual(["a0", "a1", "a2", "a3"]);
  });

  it("lets an entry leave before it is woken, and says when it was too late", () => {
    const queue = new WaitQueue<string[]>();
    const a = queue.add(note, "a");
    const b = queue.addExclusive(note, "b");
    expect(queue.remove(a)).toBe(true);
    expect(queue.remove(a)).toBe(false);
    const log: string[] = [];
    queue.wake(log);
    expect(log).toEqual(["b"]);
    expect(queue.remove(b)).toBe(false);
  });

  it("runs every entry, also when one before it throws, and throws the first error at the end", () => {
    const queue = new WaitQueue<string[]>();
    queue.add(() => {
      throw new Error("first");
    }, null);
    queue.add(note, "b");
    queue.add(() => {
      throw new Error("second");
    }, null);
    const log: string[] = [];
    expect(() => queue.wake(log)).toThrow("first");
    expect(log).toEqual(["b"]);
  });
});

import { describe, expect, it } from "vitest";
import { historyAfter } from "../src/crash/cut.ts";
import type { Cut } from "../src/crash/cut.ts";
import { BLOCK, History } from "../src/work/history.ts";

const block = (value: number): Uint8Array => new Uint8Array(BLOCK).fill(value);

describe("what a block may hold after a cut", () => {
  it("is the old or the new while a write is not durable, and the new alone after a flush", () => {
    const history = new History(new Uint8Array(2 * BLOCK));
    const write = history.began(BLOCK, block(1));
    const early = history.flushBegan();
    history.completed(write, false);
    early();
    expect([0, 1].map((value) => history.firstWrong(block(value), BLOCK))).toEqual([-1, -1]);
    history.flushBegan()();
    expect([0, 1].map((value) => history.firstWrong(block(value), BLOCK))).toEqual([BLOCK, -1]);
    expect(history.firstWrong(block(1), 0)).toBe(0);
  });

  it("is the new alone after a FUA write, whatever was written before", () => {
    const history = new History(block(0));
    history.completed(history.began(0, block(1)), false);
    history.completed(history.began(0, block(2)), true);
    expect([0, 1, 2].map((value) => history.firstWrong(block(value)))).toEqual([0, 0, -1]);
  });

  it("stays open where a write failed, until another is durable", () => {
    const history = new History(block(0));
    history.began(0, block(1));
    history.flushBegan()();
    expect([0, 1].map((value) => history.firstWrong(block(value)))).toEqual([-1, -1]);
    const copy = history.copy();
    history.completed(history.began(0, block(2)), true);
    expect(history.firstWrong(block(1))).toBe(0);
    expect(copy.firstWrong(block(1)), "a copy goes its own way").toBe(-1);
  });
});

describe("what a block may hold when the power goes again while an array comes back", () => {
  const history = new History(block(0));
  history.began(0, block(1));
  const read = history.copy();
  read.learn(block(1), () => true);
  const cut = (from: readonly string[]): Cut => ({
    index: 0,
    kind: "by disk",
    images: [],
    history,
    seen: { history: read, from: new Set(from) },
    shapes: [],
    outs: new Set(),
    isDegraded: true,
  });
  const allowed = (held: History): number[] => [0, 1, 2].filter((value) => held.firstWrong(block(value)) < 0);

  it("is what was read, where the members are there that it may have come from", () => {
    expect(allowed(historyAfter(cut(["d0", "d3"]), ["d3", "d1", "d0"]))).toEqual([1]);
  });

  it("is what was read, whoever is taken away, once the members agree", () => {
    expect(allowed(historyAfter(cut([]), ["d1"]))).toEqual([1]);
  });

  it("is what it could be before, and nothing else, where one of them is taken away before the resync has ended", () => {
    expect(allowed(historyAfter(cut(["d0", "d3"]), ["d0", "d1"]))).toEqual([0, 1]);
    expect(allowed(historyAfter({ ...cut([]), seen: null }, ["d0", "d1"]))).toEqual([0, 1]);
  });
});

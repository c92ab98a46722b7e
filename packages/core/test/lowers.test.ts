import { describe, expect, it } from "vitest";
import {
  FULL_SUPPORT,
  LayerBase,
  READ_ONLY_SUPPORT,
  closeTree,
  openTree,
  plainLimits,
} from "../src/index.ts";
import type { Io, Layer, LayerDescription, Limits, Support } from "../src/index.ts";

/** A layer that does nothing but stand on others, which may change. */
class Standing extends LayerBase {
  readonly name: string;
  readonly limits: Limits = plainLimits(4096);
  readonly support: Support = FULL_SUPPORT;
  isOpen = false;
  openedCount = 0;

  constructor(name: string, lowers: readonly Layer[] = []) {
    super(lowers);
    this.name = name;
  }

  override async open(): Promise<void> {
    await super.open();
    // As devices do, it takes its time.
    await Promise.resolve();
    this.isOpen = true;
    this.openedCount++;
  }

  submit(io: Io): void {
    io.complete();
  }

  override async close(): Promise<void> {
    this.isOpen = false;
    await super.close();
  }

  describe(): LayerDescription {
    return { driver: "standing", options: {}, lowers: this.lowers.map((lower) => lower.describe()) };
  }

  take(lower: Layer): void {
    this.addLower(lower, "write");
  }

  giveBack(lower: Layer): void {
    this.removeLower(lower);
  }
}

/** One that cannot be opened, or one whose close fails. */
class Failing extends Standing {
  override async open(): Promise<void> {
    if (this.name === "top") throw new Error("top does not open");
    await super.open();
  }

  override async close(): Promise<void> {
    await super.close();
    throw new Error(`${this.name} does not close`);
  }
}

/** The same without a claim to write. */
class Reading extends Standing {
  override readonly support: Support = READ_ONLY_SUPPORT;
}

describe("a layer that several stand on", () => {
  it("is opened once and counted for each, also where they are opened at the same time", async () => {
    const lower = new Standing("lower");
    const tops = [new Reading("one", [lower]), new Reading("two", [lower])];
    await Promise.all(tops.map((top) => openTree(top)));
    expect(lower.openedCount).toBe(1);
    await closeTree(tops[0]!);
    expect(lower.isOpen).toBe(true);
    await closeTree(tops[1]!);
    expect(lower.isOpen).toBe(false);
  });

  it("is not closed under one that is opened while the other closes", async () => {
    const lower = new Standing("lower");
    const tops = [new Reading("one", [lower]), new Reading("two", [lower])];
    await openTree(tops[0]!);
    await Promise.all([closeTree(tops[0]!), openTree(tops[1]!)]);
    expect([tops[0]!.isOpen, tops[1]!.isOpen, lower.isOpen]).toEqual([false, true, true]);
    await closeTree(tops[1]!);
    expect(lower.isOpen).toBe(false);
  });

  it("that could not be opened for one can be opened for the next", async () => {
    const lower = new Standing("lower");
    const writers = [new Standing("one", [lower]), new Standing("two", [lower])];
    const outcomes = await Promise.allSettled(writers.map((top) => openTree(top)));
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    await closeTree(writers[0]!);
    await openTree(writers[1]!);
    await closeTree(writers[1]!);
    expect(lower.isOpen).toBe(false);
  });
});

describe("what a layer stands on", () => {
  it("may become more while it is open: the new one is claimed, described, and closed with the others", async () => {
    const [first, second] = [new Standing("first"), new Standing("second")];
    const top = new Standing("top", [first]);
    await openTree(top);
    await openTree(second);
    top.take(second);
    expect(top.lowers).toEqual([first, second]);
    expect(top.describe().lowers).toHaveLength(2);
    expect(second.claims.count).toBe(1);
    const other = new Standing("other", [second]);
    await expect(openTree(other)).rejects.toMatchObject({ code: "CEV_BUSY" });
    await closeTree(top);
    expect([first.isOpen, second.isOpen]).toEqual([false, false]);
    expect([first.claims.count, second.claims.count]).toEqual([0, 0]);
  });

  it("may become less: what was given back is closed by whoever took it, and can be used by others", async () => {
    const [first, second] = [new Standing("first"), new Standing("second")];
    const top = new Standing("top", [first, second]);
    await openTree(top);
    top.giveBack(first);
    expect(top.lowers).toEqual([second]);
    expect(first.claims.count).toBe(0);
    await closeTree(first);
    expect(first.isOpen).toBe(false);
    const other = new Standing("other", [first]);
    await openTree(other);
    await closeTree(top);
    expect([first.isOpen, second.isOpen]).toEqual([true, false]);
    await closeTree(other);
  });

  it("is not taken where somebody else writes it, and nothing changes then", async () => {
    const lower = new Standing("lower");
    const [top, other] = [new Standing("top"), new Standing("other", [lower])];
    await openTree(top);
    await openTree(other);
    expect(() => top.take(lower)).toThrow(expect.objectContaining({ code: "CEV_BUSY" }) as Error);
    expect(top.lowers).toEqual([]);
    expect(lower.claims.count).toBe(1);
    await closeTree(other);
    await closeTree(top);
  });
});

describe("a layer that cannot be opened", () => {
  it("leaves nothing open, and says why, also where a lower cannot be closed again", async () => {
    const first = new Standing("first");
    const second = new Failing("second");
    await expect(openTree(new Failing("top", [first, second]))).rejects.toThrow("top does not open");
    expect([first.isOpen, second.isOpen]).toEqual([false, false]);
    expect([first.claims.openCount, second.claims.openCount]).toEqual([0, 0]);
  });
});

import { describe, expect, test } from "vitest";
import {
  BlockLayer,
  Device,
  FULL_SUPPORT,
  LayerBase,
  SegmentLayer,
  SegmentMap,
  SplitLayer,
  environmentFrom,
  extentsOf,
  knowsExtents,
  plainLimits,
  runAsBelow,
  runOf,
} from "../src/index.ts";
import type { Extent, Io, Layer, LayerDescription, Limits, Run, Support } from "../src/index.ts";

const BLOCK = 512;
const environment = environmentFrom(globalThis);

type Answer = (offset: number, length: number, countMax: number) => readonly Run[] | Promise<readonly Run[]>;

/** Holds nothing, and tells what the test wants it to. */
class ToldLayer extends LayerBase {
  readonly name: string;
  readonly limits: Limits;
  readonly support: Support = FULL_SUPPORT;
  readonly runs?: Answer;

  constructor(
    name: string,
    size: number,
    answer: Answer | null,
    lowers: readonly Layer[] = [],
    blockSize = BLOCK,
  ) {
    super(lowers);
    this.name = name;
    this.limits = plainLimits(size, { logicalBlockSize: blockSize });
    if (answer !== null) this.runs = answer;
  }

  submit(io: Io): void {
    io.complete();
  }

  describe(): LayerDescription {
    return { driver: this.name, options: {}, lowers: [] };
  }
}

class LinkedLayer extends SegmentLayer {
  readonly name = "linked";

  describe(): LayerDescription {
    return { driver: this.name, options: {}, lowers: [] };
  }
}

/** A disk by blocks: "d" data, "z" zeroes, "h" hole, "x" discarded. */
function disk(blocks: string, { name = "disk", isLater = false, blockSize = BLOCK } = {}): ToldLayer {
  const contents = { d: "data", z: "zeroes", h: "hole", x: "discarded" } as const;
  return new ToldLayer(
    name,
    blocks.length * BLOCK,
    (offset, length, countMax) => {
      const runs: Run[] = [];
      for (let at = offset; at < offset + length && runs.length < countMax;) {
        const end = (Math.floor(at / BLOCK) + 1) * BLOCK;
        runs.push(...runOf(contents[blocks[Math.floor(at / BLOCK)] as keyof typeof contents], end - at));
        at = end;
      }
      return isLater ? Promise.resolve(runs) : runs;
    },
    [],
    blockSize,
  );
}

/** The same letters, one for each block. */
function blocksOf(extents: readonly Extent[]): string {
  const letter = ({ isHole, isZero }: Extent): string => (isHole ? (isZero ? "h" : "x") : isZero ? "z" : "d");
  return extents.map((extent) => letter(extent).repeat(extent.length / BLOCK)).join("");
}

async function map(layer: Layer): Promise<string> {
  return blocksOf(await extentsOf(layer, 0, layer.limits.size));
}

const lengths = (extents: readonly Extent[]): number[] => extents.map(({ length }) => length / BLOCK);

describe("extentsOf", () => {
  test("neighbours of one kind become one extent", async () => {
    const extents = await extentsOf(disk("ddhhhzzdxx"), 0, 10 * BLOCK);
    expect(lengths(extents)).toEqual([2, 3, 2, 1, 2]);
    expect(blocksOf(extents)).toBe("ddhhhzzdxx");
  });

  test("a layer that tells nothing is data, and holds it itself", async () => {
    const layer = new ToldLayer("silent", 8 * BLOCK, null);
    expect(await extentsOf(layer, BLOCK, 4 * BLOCK)).toEqual([
      { length: 4 * BLOCK, isHole: false, isZero: false, holder: layer, hasCopies: false },
    ]);
  });

  test("a map of many thousand extents is put together from parts", async () => {
    const blocks = "dh".repeat(5000);
    expect(await map(disk(blocks))).toBe(blocks);
  });

  test("linear and striped segments show the extents of what they lie on", async () => {
    const [one, other] = [disk("ddhhzz"), disk("hhddxx")];
    const segments = new SegmentMap([
      { start: 0, length: 2 * BLOCK, areas: [{ lower: other, start: 4 * BLOCK }], stripeSize: 0 },
      {
        start: 2 * BLOCK,
        length: 8 * BLOCK,
        areas: [
          { lower: one, start: BLOCK },
          { lower: other, start: 0 },
        ],
        stripeSize: 2 * BLOCK,
      },
    ]);
    const linked = new LinkedLayer({ segments, isReadOnly: false });
    expect(await map(linked)).toBe("xx" + "dh" + "hh" + "hz" + "dd");
    const middle = await extentsOf(linked, 3 * BLOCK, 4 * BLOCK, { byHolder: true });
    expect(blocksOf(middle)).toBe("hhhh");
    // Nobody holds a hole.
    expect(middle.map(({ holder }) => holder)).toEqual([null]);
  });

  test("adapters are passed through", async () => {
    const top = new BlockLayer(new SplitLayer(disk("dhhz")), { logicalBlockSize: 1, environment });
    expect(await map(top)).toBe("dhhz");
  });

  test("holders are kept apart on request alone", async () => {
    const [one, other] = [disk("dd", { name: "one" }), disk("dd", { name: "other" })];
    const segments = new SegmentMap([
      { start: 0, length: BLOCK, areas: [{ lower: one, start: 0 }], stripeSize: 0 },
      { start: BLOCK, length: BLOCK, areas: [{ lower: other, start: 0 }], stripeSize: 0 },
    ]);
    const linked = new LinkedLayer({ segments, isReadOnly: false });
    const together = await extentsOf(linked, 0, 2 * BLOCK);
    expect(together.map(({ holder }) => holder)).toEqual([null]);
    const apart = await extentsOf(linked, 0, 2 * BLOCK, { byHolder: true });
    expect(apart.map(({ holder }) => holder)).toEqual([one, other]);
  });

  test("a layer that recodes shows holes, and never zeroes", async () => {
    const lower = disk("dzhx");
    const recoded = new ToldLayer(
      "crypt",
      4 * BLOCK,
      (offset, length) => [{ length, content: "recoded", lower, lowerOffset: offset }],
      [lower],
    );
    expect(await map(recoded)).toBe("ddxx");
  });

  test("what a layer knows to be data stays data over a hole, and keeps its holder", async () => {
    const lower = disk("zh");
    const upper = new ToldLayer(
      "careful",
      2 * BLOCK,
      (offset, length) => [{ length, content: "data", lower, lowerOffset: offset, hasCopies: true }],
      [lower],
    );
    const extents = await extentsOf(upper, 0, BLOCK);
    expect(extents).toEqual([
      { length: BLOCK, isHole: false, isZero: false, holder: lower, hasCopies: true },
    ]);
  });

  test("a block that is zeroes in part is data", async () => {
    const upper = disk("zzzdhhzz" + "zhzhhhhh", { blockSize: 4 * BLOCK });
    expect(await map(upper)).toBe("dddd" + "zzzz" + "zzzz" + "hhhh");
  });

  test("countMax ends the answer after whole extents", async () => {
    const extents = await extentsOf(disk("ddhhhdd"), 0, 7 * BLOCK, { countMax: 2 });
    expect(lengths(extents)).toEqual([2, 3]);
  });

  test("effortMax ends the answer within an extent, at a whole block, but not before the first", async () => {
    const striped = disk("d".repeat(5000));
    const [extent, ...others] = await extentsOf(striped, 0, 5000 * BLOCK, { effortMax: 1000 });
    expect(others).toEqual([]);
    expect(extent!.length / BLOCK).toBeGreaterThanOrEqual(1000);
    expect(extent!.length / BLOCK).toBeLessThan(1500);
    const coarse = disk("h".repeat(5120), { blockSize: 1024 * BLOCK });
    expect(lengths(await extentsOf(coarse, 0, 5120 * BLOCK, { effortMax: 10 }))).toEqual([1024]);
    expect(lengths(await extentsOf(coarse, 0, 5120 * BLOCK, { effortMax: 2100 }))).toEqual([2048]);
  });

  test("a signal that has fired ends the question", async () => {
    const signal = AbortSignal.abort();
    await expect(extentsOf(disk("dd"), 0, BLOCK, { signal })).rejects.toMatchObject({
      code: "CEV_CANCELLED",
    });
  });

  test("a signal that fires ends it also while a layer has no answer", async () => {
    const controller = new AbortController();
    const silent = new ToldLayer("silent", 2 * BLOCK, () => new Promise(() => undefined));
    const question = extentsOf(silent, 0, BLOCK, { signal: controller.signal });
    controller.abort();
    await expect(question).rejects.toMatchObject({ code: "CEV_CANCELLED" });
  });

  test("ranges outside the layer, and parts of blocks, are refused", async () => {
    await expect(extentsOf(disk("dd"), BLOCK, 2 * BLOCK)).rejects.toMatchObject({ code: "CEV_OUT_OF_RANGE" });
    await expect(extentsOf(disk("dd"), 1, BLOCK)).rejects.toMatchObject({ code: "CEV_INVALID" });
  });
});

/** Two copies of one device. */
function mirror(one: ToldLayer, other: ToldLayer): ToldLayer {
  return new ToldLayer(
    "mirror",
    one.limits.size,
    (offset, length) => [
      {
        ...runAsBelow(one, offset, length)[0]!,
        others: [{ lower: other, lowerOffset: offset }],
        hasCopies: true,
      },
    ],
    [one, other],
  );
}

describe("extents are never zeroes by mistake", () => {
  test.each([false, true])(
    "of two copies both have to be zeroes (that answer later: %s)",
    async (isLater) => {
      const [one, other] = [disk("ddhhhzzd", { isLater }), disk("dhhdzhzz", { isLater })];
      expect(await map(mirror(one, other))).toBe("ddhdzzzd");
    },
  );

  test("copies whose map is long are compared in parts", async () => {
    expect(await map(mirror(disk("hd".repeat(2000)), disk("hhd".repeat(1333) + "d")))).toBe(
      Array.from({ length: 4000 }, (_, at) => (at % 2 === 1 || at % 3 === 2 || at === 3999 ? "d" : "h")).join(
        "",
      ),
    );
  });

  test.each<[string, Answer]>([
    [
      "throws",
      () => {
        throw new Error("broken");
      },
    ],
    ["rejects", () => Promise.reject(new Error("broken"))],
    ["tells of nothing", () => []],
    ["tells of a run of no length", () => runOf("hole", 0)],
    ["tells of half a byte", () => runOf("hole", 0.5)],
    [
      "tells of bytes as below with nothing below",
      (_offset, length) => [{ length, content: "asBelow", lower: null, lowerOffset: 0 }],
    ],
    [
      "tells of bytes that the lower does not have",
      (_offset, length) => runAsBelow(disk("h"), BLOCK, length),
    ],
  ])("a layer that %s counts as data, and is reported", async (_what, answer) => {
    const reported: string[] = [];
    const layer = new ToldLayer("broken", 4 * BLOCK, answer);
    const extents = await extentsOf(layer, 0, 4 * BLOCK, {
      report: (_error, { name }) => reported.push(name),
    });
    expect(blocksOf(extents)).toBe("dddd");
    expect(reported).toEqual(["broken"]);
  });

  test("a run past the range does not reach into what follows", async () => {
    const greedy = new ToldLayer("greedy", 4 * BLOCK, () => runOf("hole", 100 * BLOCK));
    const extents = await extentsOf(greedy, 0, 2 * BLOCK);
    expect(lengths(extents)).toEqual([2]);
  });

  test("bytes that moved while the layer below took its time count as data", async () => {
    // As a snapshot: its chunk was saved elsewhere, and then its old place was zeroed.
    const store = disk("dd", { name: "store" });
    let hasMoved = false;
    const origin = new ToldLayer("origin", 2 * BLOCK, async (_offset, length) => {
      hasMoved = true;
      return runOf("hole", length);
    });
    const snapshot = new ToldLayer(
      "snapshot",
      2 * BLOCK,
      (offset, length) => runAsBelow(hasMoved ? store : origin, offset, length),
      [origin, store],
    );
    expect(
      await map(
        new ToldLayer("top", 2 * BLOCK, (offset, length) => runAsBelow(snapshot, offset, length), [snapshot]),
      ),
    ).toBe("dd");
    expect(hasMoved).toBe(true);
  });

  test("a layer that answers later itself is asked again, too", async () => {
    const [store, origin] = [disk("dd"), disk("hh")];
    let asked = 0;
    const snapshot = new ToldLayer(
      "snapshot",
      2 * BLOCK,
      async (offset, length) => runAsBelow(asked++ === 0 ? origin : store, offset, length),
      [origin, store],
    );
    expect(await map(snapshot)).toBe("dd");
  });

  test("what did not move keeps its zeroes over a layer that answers later", async () => {
    const lower = disk("dhzx", { isLater: true });
    const upper = new ToldLayer("upper", 4 * BLOCK, (offset, length) => runAsBelow(lower, offset, length), [
      lower,
    ]);
    expect(await map(upper)).toBe("dhzx");
  });

  test("layers that answer at once are asked within one turn: nothing can move between them", async () => {
    const lower = disk("hhhh");
    let hasMoved = false;
    const upper = new ToldLayer(
      "upper",
      4 * BLOCK,
      (offset, length) => {
        queueMicrotask(() => (hasMoved = true));
        return runAsBelow(lower, offset, length);
      },
      [lower],
    );
    const told = new ToldLayer("below", 4 * BLOCK, (_offset, length) =>
      runOf(hasMoved ? "data" : "hole", length),
    );
    const top = new ToldLayer(
      "top",
      4 * BLOCK,
      (offset, length) => {
        void upper.runs!(offset, length, 1);
        return runAsBelow(told, offset, length);
      },
      [told],
    );
    expect(await map(top)).toBe("hhhh");
  });
});

describe("Device.extents", () => {
  test("takes any alignment, and tells of the range alone", async () => {
    const device = await Device.open(disk("dhhd"), environment);
    const extents = await device.extents(100, 3 * BLOCK);
    expect(extents.map(({ length, isZero }) => [length, isZero])).toEqual([
      [BLOCK - 100, false],
      [2 * BLOCK, true],
      [100, false],
    ]);
    await device.close();
    await expect(device.extents(0, 1)).rejects.toMatchObject({ code: "CEV_CLOSED" });
  });

  test("closing waits for the question that is under way", async () => {
    let answer: (runs: readonly Run[]) => void = () => undefined;
    const slow = new ToldLayer("slow", BLOCK, () => new Promise((resolve) => (answer = resolve)));
    const device = await Device.open(slow, environment);
    const asked = device.extents(0, BLOCK);
    let isClosed = false;
    const closing = device.close().then(() => (isClosed = true));
    await new Promise((resolve) => environment.later(() => resolve(null)));
    expect(isClosed).toBe(false);
    answer(runOf("hole", BLOCK));
    expect(blocksOf(await asked)).toBe("h");
    await closing;
  });

  test("knows whether anything is known", async () => {
    const silent = new ToldLayer("silent", BLOCK, null);
    expect(knowsExtents(silent)).toBe(false);
    expect(knowsExtents(new SplitLayer(silent))).toBe(false);
    expect(knowsExtents(new SplitLayer(disk("d")))).toBe(true);
    const device = await Device.open(disk("d"), environment);
    expect(device.knowsExtents).toBe(true);
    await device.close();
  });
});

import { fc, test as property } from "@fast-check/vitest";
import {
  Device,
  Io,
  IoFlag,
  Op,
  READ_ONLY_SUPPORT,
  SegmentMap,
  openTree,
  statusOf,
  subEventsOf,
} from "@cev/core";
import type { MappedSegment } from "@cev/core";
import { describe, expect, test } from "vitest";
import { VolumeLayer } from "../src/index.ts";
import { DelayingLayer } from "./support/delaying-layer.ts";
import { ImageLayer } from "./support/image-layer.ts";
import { environment } from "./support/open.ts";

const SIZE = 64 * 1024;
const BLOCK = 512;

interface Recipe {
  readonly segments: readonly {
    readonly stripeSizeBlocks: number;
    readonly rows: number;
    /** Which physical volume each area is on. */
    readonly lowers: readonly number[];
  }[];
}

const recipes: fc.Arbitrary<Recipe> = fc.record({
  segments: fc.array(
    fc.record({
      stripeSizeBlocks: fc.integer({ min: 1, max: 3 }),
      rows: fc.integer({ min: 1, max: 4 }),
      lowers: fc.array(fc.nat(2), { minLength: 1, maxLength: 3 }),
    }),
    { minLength: 1, maxLength: 4 },
  ),
});

/** Lays the segments out one after another on three physical volumes, highest first so that nothing is in order. */
function layOut(recipe: Recipe, lowers: readonly ImageLayer[]): SegmentMap {
  const ends = lowers.map(() => SIZE);
  let start = 0;
  const segments = recipe.segments.map(({ stripeSizeBlocks, rows, lowers: indexes }): MappedSegment => {
    const stripeSize = stripeSizeBlocks * BLOCK;
    const areas = indexes.map((index) => {
      ends[index]! -= rows * stripeSize;
      return { lower: lowers[index]!, start: ends[index]! };
    });
    const length = rows * stripeSize * indexes.length;
    const segment = { start, length, areas, stripeSize: indexes.length === 1 ? 0 : stripeSize };
    start += length;
    return segment;
  });
  return new SegmentMap(segments);
}

function makeLowers(): DelayingLayer[] {
  return ["d0", "d1", "d2"].map((name) => new DelayingLayer(name, new Uint8Array(SIZE)));
}

function makeVolume(segments: SegmentMap, isReadOnly = false): VolumeLayer {
  return new VolumeLayer({
    name: "vg0/root",
    segments,
    isReadOnly,
    claimant: { name: "the volume group vg0" },
    description: { options: { group: "vg0", volumes: ["root"] }, lowers: [] },
  });
}

function twoPieces(lowers: readonly ImageLayer[]): SegmentMap {
  return new SegmentMap([
    { start: 0, length: 4096, areas: [{ lower: lowers[0]!, start: 8192 }], stripeSize: 0 },
    { start: 4096, length: 4096, areas: [{ lower: lowers[1]!, start: 1024 }], stripeSize: 0 },
  ]);
}

function ioOf(op: Op, offset: number, length: number, data: Uint8Array | null = null, flags = 0): Io {
  return new Io(environment.runQueue).prepare(op, offset, length, data, 0, flags);
}

interface Step {
  readonly op: "read" | "write" | "discard" | "writeZeroes" | "flush";
  readonly at: number;
  readonly length: number;
  readonly isSync: boolean;
}

const steps = fc.array(
  fc.record({
    op: fc.constantFrom<Step["op"]>("read", "write", "write", "writeZeroes", "flush", "discard"),
    at: fc.nat(),
    length: fc.nat(),
    isSync: fc.boolean(),
  }),
  { maxLength: 30 },
);

property.prop([recipes, steps, fc.nat()])(
  "many requests at once, completed in any order, do what they do on one plain device",
  async (recipe, work, seed) => {
    const chance = dice(seed);
    const lowers = makeLowers();
    const volume = makeVolume(layOut(recipe, lowers));
    await openTree(volume);
    const { size } = volume.limits;
    const model = new Uint8Array(size);
    const busy = new Uint8Array(size / BLOCK);
    const underWay: Promise<unknown>[] = [];
    let fillByte = 0;
    for (const { op, at, length, isSync } of work) {
      const from = (at % (size / BLOCK)) * BLOCK;
      const part = (1 + (length % ((size - from) / BLOCK))) * BLOCK;
      // Requests that overlap while under way have no defined order.
      const blocks = busy.subarray(from / BLOCK, (from + part) / BLOCK);
      if (op !== "flush" && blocks.some((taken) => taken !== 0)) continue;
      if (op !== "flush") blocks.fill(1);
      for (const lower of lowers) lower.isDelaying = !isSync;
      const data = new Uint8Array(part);
      if (op === "write") data.fill(++fillByte);
      const io = op === "flush" ? ioOf(Op.flush, 0, 0) : ioOf(Op[op], from, part, data);
      const done = io.promise().then(() => {
        if (op === "read") expect(data).toEqual(model.subarray(from, from + part));
        if (op === "write") model.set(data, from);
        if (op === "writeZeroes") model.fill(0, from, from + part);
        if (op !== "flush") blocks.fill(0);
        expect(io.offset).toBe(op === "flush" ? 0 : from);
        expect(io.transferred).toBe(op === "flush" ? 0 : part);
      });
      volume.submit(io);
      underWay.push(done);
      if (isSync) await drain(lowers, chance);
    }
    await drain(lowers, chance);
    await Promise.all(underWay);
    for (const lower of lowers) lower.isDelaying = false;
    const all = new Uint8Array(size);
    const io = ioOf(Op.read, 0, size, all);
    volume.submit(io);
    expect(all).toEqual(model);
  },
);

/** Numbers by chance, the same again for the same seed. */
function dice(seed: number): () => number {
  let state = seed >>> 0;
  return () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) >>> 8;
}

/** Completes whatever is held below, in an order by chance, until nothing is. */
async function drain(lowers: readonly DelayingLayer[], chance: () => number): Promise<void> {
  for (;;) {
    const held = lowers.flatMap((lower) => lower.held.map((io) => ({ lower, io })));
    if (held.length === 0) break;
    const { lower, io } = held[chance() % held.length]!;
    lower.finish(io);
  }
  await Promise.resolve();
}

describe("a request within one segment", () => {
  test("A1 goes down as the same Io, moved, and comes back where it was", () => {
    const lowers = makeLowers();
    const volume = makeVolume(twoPieces(lowers));
    lowers[1]!.isDelaying = true;
    const data = new Uint8Array(512);
    const io = ioOf(Op.write, 4608, 512, data, IoFlag.fua);
    volume.submit(io);
    expect(lowers[1]!.held).toEqual([io]);
    expect(lowers[1]!.held[0]).toBe(io);
    expect(io).toMatchObject({ offset: 1536, length: 512, flags: IoFlag.fua });
    expect(statusOf(io).actions).toEqual([{ name: "restoreLinear", owner: "vg0/root" }]);
    lowers[1]!.finish(io);
    expect(io).toMatchObject({ offset: 4608, transferred: 512, isUpToDate: true });
  });

  test("A1 goes down as the same Io where one stripe holds all of it", () => {
    const lowers = makeLowers();
    const areas = [lowers[0]!, lowers[1]!].map((lower) => ({ lower, start: 4096 }));
    const volume = makeVolume(new SegmentMap([{ start: 0, length: 8192, areas, stripeSize: 1024 }]));
    lowers[1]!.isDelaying = true;
    const io = ioOf(Op.read, 3584, 512, new Uint8Array(512));
    volume.submit(io);
    expect(lowers[1]!.held[0]).toBe(io);
    expect(io.offset).toBe(4096 + 1024 + 512);
    lowers[1]!.finish(io);
    expect(io.offset).toBe(3584);
  });
});

describe("a request across segments", () => {
  test("is split without copying: the parts use the caller's memory and flags", () => {
    const lowers = makeLowers();
    const volume = makeVolume(twoPieces(lowers));
    for (const lower of lowers) lower.isDelaying = true;
    const data = new Uint8Array(4096);
    const io = ioOf(Op.write, 2048, 3072, data, IoFlag.fua);
    io.dataOffset = 100;
    volume.submit(io);
    const parts = subEventsOf(io).map(({ io: part, lower }) => ({ ...shape(part), lower: lower.name }));
    expect(parts).toEqual([
      { lower: "d0", offset: 8192 + 2048, length: 2048, dataOffset: 100, flags: IoFlag.fua },
      { lower: "d1", offset: 1024, length: 1024, dataOffset: 100 + 2048, flags: IoFlag.fua },
    ]);
    expect(subEventsOf(io).every(({ io: part }) => part.data === data)).toBe(true);
    finishAll(lowers);
    expect(io).toMatchObject({ isUpToDate: true, transferred: 3072 });
  });

  test.each([
    ["first", 0, 0],
    ["second", 1, 2048],
  ])("counts the bytes before the part that failed, the %s", (_, failing, transferred) => {
    const lowers = makeLowers();
    const volume = makeVolume(twoPieces(lowers));
    for (const lower of lowers) lower.isDelaying = true;
    const io = ioOf(Op.write, 2048, 3072, new Uint8Array(3072));
    volume.submit(io);
    lowers[failing]!.finish(lowers[failing]!.held[0]!, "CEV_MEDIUM");
    expect(io.state).not.toBe(5);
    finishAll(lowers);
    expect(io).toMatchObject({ transferred, error: { code: "CEV_MEDIUM" }, offset: 2048 });
    expect(subEventsOf(io)).toEqual([]);
  });

  test("T1 a cancel reaches every part that is under way", () => {
    const lowers = makeLowers();
    const volume = makeVolume(twoPieces(lowers));
    for (const lower of lowers) lower.isDelaying = true;
    const io = ioOf(Op.read, 0, 8192, new Uint8Array(8192));
    volume.submit(io);
    lowers[0]!.finish(lowers[0]!.held[0]!);
    io.cancel();
    expect(lowers[1]!.held.every((part) => part.isCancelRequested)).toBe(true);
    lowers[1]!.finish(lowers[1]!.held[0]!, "CEV_CANCELLED");
    expect(io).toMatchObject({ transferred: 4096, error: { code: "CEV_CANCELLED" } });
  });

  test("without data takes one part for each stripe, however many chunks it has", () => {
    const lowers = makeLowers();
    const areas = lowers.map((lower) => ({ lower, start: 0 }));
    const volume = makeVolume(new SegmentMap([{ start: 0, length: 3 * 32 * 512, areas, stripeSize: 512 }]));
    for (const lower of lowers) lower.isDelaying = true;
    const io = ioOf(Op.writeZeroes, 512, 512 * 50, null, IoFlag.noHole);
    volume.submit(io);
    expect(subEventsOf(io)).toHaveLength(3);
    expect(subEventsOf(io).every(({ io: part }) => part.flags === IoFlag.noHole)).toBe(true);
    lowers[2]!.finish(lowers[2]!.held[0]!, "CEV_IO");
    finishAll(lowers);
    expect(io).toMatchObject({ transferred: 0, error: { code: "CEV_IO" } });
  });
});

describe("a flush", () => {
  test("goes to every physical volume the volume lies on, and to no other", () => {
    const lowers = makeLowers();
    const volume = makeVolume(twoPieces(lowers));
    for (const lower of lowers) lower.isDelaying = true;
    const io = ioOf(Op.flush, 0, 0);
    volume.submit(io);
    expect(lowers.map(({ held }) => held.map(({ op }) => op))).toEqual([[Op.flush], [Op.flush], []]);
    lowers[0]!.finish(lowers[0]!.held[0]!);
    expect(io.isUpToDate).toBe(false);
    lowers[1]!.finish(lowers[1]!.held[0]!, "CEV_IO");
    expect(io.error).toMatchObject({ code: "CEV_IO" });
  });

  test("A1 of a volume on one physical volume is the same Io", () => {
    const [lower] = makeLowers();
    const areas = [{ lower: lower!, start: 512 }];
    const volume = makeVolume(new SegmentMap([{ start: 0, length: 1024, areas, stripeSize: 0 }]));
    lower!.isDelaying = true;
    const io = ioOf(Op.flush, 0, 0);
    volume.submit(io);
    expect(lower!.held[0]).toBe(io);
    lower!.finish(io);
  });
});

describe("what the volume offers", () => {
  test("a read-only volume refuses all that writes, and says so", () => {
    const lowers = makeLowers();
    const volume = makeVolume(twoPieces(lowers), true);
    expect(volume.support).toEqual(READ_ONLY_SUPPORT);
    for (const op of [Op.write, Op.discard, Op.writeZeroes, Op.flush]) {
      const io = ioOf(op, 0, op === Op.flush ? 0 : 512, new Uint8Array(512));
      volume.submit(io);
      expect(io.error).toMatchObject({ code: "CEV_NOT_SUPPORTED" });
    }
    expect(lowers.map(({ writeCount }) => writeCount)).toEqual([0, 0, 0]);
  });

  test("an operation invented later is refused", () => {
    const volume = makeVolume(twoPieces(makeLowers()));
    const io = ioOf(99 as Op, 0, 512);
    volume.submit(io);
    expect(io.error).toMatchObject({ code: "CEV_NOT_SUPPORTED" });
  });

  test("limits are those that all its physical volumes take", () => {
    const lowers = [
      new ImageLayer("d0", new Uint8Array(SIZE), { ioLengthMax: 65_536, discardGranularity: 4096 }),
      new ImageLayer("d1", new Uint8Array(SIZE), { logicalBlockSize: 1024, physicalBlockSize: 4096 }),
    ];
    expect(makeVolume(twoPieces(lowers)).limits).toMatchObject({
      size: 8192,
      logicalBlockSize: 1024,
      physicalBlockSize: 4096,
      ioLengthMax: 65_536,
      discardGranularity: 4096,
    });
  });
});

describe("claims", () => {
  function volumeOf(
    lowers: readonly ImageLayer[],
    claimant: { readonly name: string },
    name: string,
  ): VolumeLayer {
    return new VolumeLayer({
      name,
      segments: twoPieces(lowers),
      isReadOnly: false,
      claimant,
      description: { options: {}, lowers: [] },
    });
  }

  test("volumes of one group share their physical volumes; a group opened a second time is refused", async () => {
    const lowers = makeLowers();
    const group = { name: "the volume group vg0" };
    await using root = await Device.open(volumeOf(lowers, group, "vg0/root"), environment);
    await using swap = await Device.open(volumeOf(lowers, group, "vg0/swap"), environment);
    const second = volumeOf(lowers, { name: "the volume group vg0" }, "vg0/root");
    await expect(Device.open(second, environment)).rejects.toMatchObject({ code: "CEV_BUSY" });
    await expect(Device.open(lowers[0]!, environment)).rejects.toMatchObject({ code: "CEV_BUSY" });
    await using reader = await Device.open(lowers[0]!, environment, { isReadOnly: true });
    expect([root.size, swap.size, reader.size]).toEqual([8192, 8192, SIZE]);
  });

  test("closing gives the physical volumes back, and so does an open that failed halfway", async () => {
    const lowers = makeLowers();
    const writer = await Device.open(lowers[1]!, environment);
    const volume = volumeOf(lowers, { name: "the volume group vg0" }, "vg0/root");
    await expect(Device.open(volume, environment)).rejects.toMatchObject({ code: "CEV_BUSY" });
    expect(lowers[0]!.claims.count).toBe(0);
    await writer.close();
    const device = await Device.open(volume, environment);
    expect(lowers.map(({ claims }) => claims.count)).toEqual([1, 1, 0]);
    await device.close();
    expect(lowers.map(({ claims }) => claims.count)).toEqual([0, 0, 0]);
  });
});

function shape({ offset, length, dataOffset, flags }: Io): object {
  return { offset, length, dataOffset, flags };
}

function finishAll(lowers: readonly DelayingLayer[]): void {
  for (const lower of lowers) for (const io of [...lower.held]) lower.finish(io);
}

import { describe, expect, it } from "vitest";
import { AsyncLayer, CompoundIoPool, Io, IoError, LayerBase, Op, concatenate, refuse } from "../src/index.ts";
import type { Layer, LayerDescription, Limits, Next, Support } from "../src/index.ts";
import { MemoryLayer, OffsetLayer, Turns, newQueue } from "./support.ts";

/** Splits every read and write in two. */
class HalvesLayer extends LayerBase {
  readonly name = "halves";
  readonly limits: Limits;
  readonly support: Support;
  readonly #lower: Layer;
  readonly #pool = new CompoundIoPool(this);

  constructor(lower: Layer) {
    super([lower]);
    this.limits = lower.limits;
    this.support = lower.support;
    this.#lower = lower;
  }

  submit(io: Io): void {
    if (io.op > Op.write || io.length < 1024) return this.#lower.submit(io);
    const half = io.length / 2;
    const compound = this.#pool.over(io, concatenate);
    compound.add(this.#lower, io.op, io.offset, half, io.data, io.dataOffset, io.flags);
    compound.add(this.#lower, io.op, io.offset + half, half, io.data, io.dataOffset + half, io.flags);
    compound.submit();
  }

  describe(): LayerDescription {
    return { driver: this.name, options: {}, lowers: [this.#lower.describe()] };
  }
}

/** The same as `OffsetLayer` in the other style. */
class AsyncOffsetLayer extends AsyncLayer {
  readonly name = "async offset";
  readonly limits: Limits;
  readonly support: Support;
  readonly #start: number;

  constructor(lower: Layer, start: number) {
    super([lower]);
    this.limits = { ...lower.limits, size: lower.limits.size - start };
    this.support = lower.support;
    this.#start = start;
  }

  override async read(io: Io, next: Next): Promise<void> {
    io.offset += this.#start;
    try {
      await next(io);
    } finally {
      io.offset -= this.#start;
    }
  }

  override write(io: Io, next: Next): Promise<void> {
    return this.read(io, next);
  }

  override flush(io: Io, next: Next): Promise<void> {
    return next(io);
  }

  describe(): LayerDescription {
    return { driver: this.name, options: { start: this.#start }, lowers: [] };
  }
}

/** Everything that whoever submits an Io can see of its end. */
function look(io: Io): unknown {
  const { op, flags, offset, length, dataOffset, transferred, error, state } = io;
  return { op, flags, offset, length, dataOffset, transferred, code: error?.code, state, data: [...io.data] };
}

async function outcomeOver(build: (memory: MemoryLayer) => Layer, op: Op, fails: boolean): Promise<unknown> {
  const memory = new MemoryLayer(65_536);
  memory.bytes.forEach((_, at) => (memory.bytes[at] = at % 253));
  if (fails) memory.failure = () => new IoError("CEV_MEDIUM", "bad sector");
  const turns = new Turns();
  const io = new Io(newQueue(turns)).prepare(op, 4096, 2048, new Uint8Array(4096).fill(9), 512);
  const done = io.promise().catch(() => undefined);
  build(memory).submit(io);
  await done;
  return { seen: look(io), disk: [...memory.bytes] };
}

async function expectSameAsBare(build: (memory: MemoryLayer) => Layer): Promise<void> {
  for (const op of [Op.read, Op.write, Op.flush] as const) {
    for (const fails of [false, true]) {
      expect(await outcomeOver(build, op, fails)).toEqual(await outcomeOver((memory) => memory, op, fails));
    }
  }
}

const FILTERS: [string, (memory: MemoryLayer) => Layer][] = [
  ["a filter", (memory) => new OffsetLayer(memory, 0)],
  ["two filters", (memory) => new OffsetLayer(new OffsetLayer(memory, 0), 0)],
  ["an async layer", (memory) => new AsyncOffsetLayer(memory, 0)],
];

const SPLITTERS: [string, (memory: MemoryLayer) => Layer][] = [
  ["a layer that splits", (memory) => new HalvesLayer(memory)],
  ["a filter over a layer that splits", (memory) => new OffsetLayer(new HalvesLayer(memory), 0)],
  ["layers that split, twice", (memory) => new HalvesLayer(new HalvesLayer(memory))],
  [
    "an async layer over one that splits",
    (memory) => new OffsetLayer(new AsyncOffsetLayer(new HalvesLayer(memory), 0), 0),
  ],
];

describe("transparency", () => {
  it("A1 the same Io goes all the way down and is itself again when it comes back", () => {
    const memory = new MemoryLayer(65_536);
    let layer: Layer = memory;
    for (let depth = 0; depth < 8; depth++) layer = new OffsetLayer(layer, 512);
    const data = new Uint8Array(512);
    const io = new Io(newQueue()).prepare(Op.read, 1024, 512, data);
    let below = -1;
    memory.failure = (seen) => {
      below = seen.offset;
      return null;
    };
    layer.submit(io);
    expect(memory.seen).toEqual([io]);
    expect(memory.seen[0]).toBe(io);
    expect([below, io.offset, io.data]).toEqual([1024 + 8 * 512, 1024, data]);
  });

  it("A1 the same Io also goes down through async layers", async () => {
    const memory = new MemoryLayer(65_536);
    const io = new Io(newQueue()).prepare(Op.read, 1024, 512, new Uint8Array(512));
    const done = io.promise();
    new AsyncOffsetLayer(new AsyncOffsetLayer(memory, 512), 512).submit(io);
    await done;
    expect(memory.seen[0]).toBe(io);
    expect(io.offset).toBe(1024);
  });

  it.each(FILTERS)("A2 nobody above can tell %s from the bare device", async (_name, build) => {
    await expectSameAsBare(build);
  });

  it.each(SPLITTERS)("B3 nobody above can tell %s from the bare device", async (_name, build) => {
    await expectSameAsBare(build);
  });

  it("A2 the layer below sees requests like any other, whoever stands above", () => {
    const memory = new MemoryLayer(65_536);
    new OffsetLayer(memory, 512).submit(
      new Io(newQueue()).prepare(Op.write, 0, 512, new Uint8Array(512).fill(1)),
    );
    new HalvesLayer(memory).submit(
      new Io(newQueue()).prepare(Op.write, 0, 2048, new Uint8Array(2048).fill(1)),
    );
    for (const seen of memory.seen) {
      expect(seen.constructor).toBe(Io);
      expect(seen.isUpToDate).toBe(true);
    }
  });

  it("a stack of 1,000 layers does not overflow the call stack", () => {
    const memory = new MemoryLayer(1 << 20);
    let layer: Layer = memory;
    for (let depth = 0; depth < 1000; depth++)
      layer = depth % 10 === 0 ? new HalvesLayer(layer) : new OffsetLayer(layer, 512);
    const io = new Io(newQueue()).prepare(Op.read, 0, 4096, new Uint8Array(4096));
    layer.submit(io);
    expect(io.isUpToDate).toBe(true);
  });

  it("an operation invented later is refused, not let through", () => {
    const memory = new MemoryLayer(65_536);
    for (const layer of [new OffsetLayer(memory, 0), new AsyncOffsetLayer(memory, 0), memory]) {
      const io = new Io(newQueue()).prepare(7 as Op, 0, 512);
      layer.submit(io);
      expect(io.error?.code).toBe("CEV_NOT_SUPPORTED");
      expect(io.error?.message).toContain("operation 7");
    }
    const io = new Io(newQueue()).prepare(Op.discard, 0, 512);
    refuse(io, memory);
    expect(io.error?.message).toContain("discard");
  });
});

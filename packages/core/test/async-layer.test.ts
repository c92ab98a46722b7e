import { describe, expect, it } from "vitest";
import { AsyncLayer, CevError, IoError, Op, environmentFrom, request } from "../src/index.ts";
import type { Io, Layer, LayerDescription, Limits, Next, Support } from "../src/index.ts";
import { MemoryLayer } from "./support.ts";

class Plain extends AsyncLayer {
  readonly name = "plain";
  readonly limits: Limits;
  readonly support: Support;

  constructor(lower: Layer, handler: (io: Io, next: Next) => Promise<void>) {
    super([lower]);
    this.limits = lower.limits;
    this.support = lower.support;
    this.read = handler;
  }

  describe(): LayerDescription {
    return { driver: this.name, options: {}, lowers: [] };
  }
}

const environment = environmentFrom(globalThis);
const read = (layer: Layer): Promise<void> =>
  request(layer, environment, Op.read, 0, 512, new Uint8Array(512));

describe("AsyncLayer", () => {
  it("answers without asking below when its method does", async () => {
    const memory = new MemoryLayer(4096);
    const data = new Uint8Array(512);
    const layer = new Plain(memory, async (io) => {
      await Promise.resolve();
      io.data.fill(5, io.dataOffset, io.dataOffset + io.length);
    });
    await request(layer, environment, Op.read, 0, 512, data);
    expect([memory.seen.length, data[511]]).toEqual([0, 5]);
  });

  it("B2 retries by calling next again, on the same or another lower", async () => {
    const memory = new MemoryLayer(4096);
    const other = new MemoryLayer(4096, { name: "other" });
    memory.failure = () => new IoError("CEV_MEDIUM", "bad sector");
    const layer = new Plain(memory, async (io, next) => {
      try {
        await next(io);
      } catch {
        await next(io, other);
      }
    });
    await read(layer);
    expect([memory.seen.length, other.seen.length]).toEqual([1, 1]);
  });

  it("a lower whose submit throws fails the request, or is made good, as any error of a lower", async () => {
    const memory = new MemoryLayer(4096);
    const thrower = new MemoryLayer(4096, { name: "thrower" });
    thrower.submit = () => {
      throw new TypeError("x is not a function");
    };
    const failed = read(new Plain(thrower, (io, next) => next(io)));
    await expect(failed).rejects.toMatchObject({ code: "CEV_PROGRAM", place: { layer: "thrower" } });
    await expect(failed).rejects.toThrow(/submit of a layer threw: x is not a function/);
    await read(new Plain(thrower, (io, next) => next(io).catch(() => next(io, memory))));
    expect(memory.seen.length).toBe(1);
  });

  it("a method that is not async and returns nothing has answered", async () => {
    const memory = new MemoryLayer(4096);
    const silent = (() => undefined) as unknown as () => Promise<void>;
    await read(new Plain(memory, silent));
    expect(memory.seen).toEqual([]);
  });

  it("makes an error good by catching it, and an error by throwing one", async () => {
    const memory = new MemoryLayer(4096);
    memory.failure = () => new IoError("CEV_MEDIUM", "bad sector");
    await read(new Plain(memory, (io, next) => next(io).catch(() => undefined)));
    await expect(read(new Plain(memory, (io, next) => next(io)))).rejects.toMatchObject({
      code: "CEV_MEDIUM",
    });
    memory.failure = () => null;
    const refusing = new Plain(memory, async (io, next) => {
      await next(io);
      throw new CevError("CEV_BAD_METADATA", "checksum does not match");
    });
    await expect(read(refusing)).rejects.toMatchObject({ code: "CEV_BAD_METADATA" });
  });

  it("turns a bug in a method into an error of the Io that names the layer", async () => {
    const memory = new MemoryLayer(4096);
    const thrown = read(
      new Plain(memory, () => {
        throw new TypeError("x is not a function");
      }),
    );
    await expect(thrown).rejects.toMatchObject({ code: "CEV_PROGRAM", place: { layer: "plain" } });
    const careless = read(
      new Plain(memory, (io, next) => {
        memory.isManual = true;
        void next(io).catch(() => undefined);
        setImmediate(() => setImmediate(() => memory.finishAll()));
        return Promise.resolve();
      }),
    );
    await expect(careless).rejects.toThrow(/without waiting for next/);
  });

  it("refuses a second next while the first is under way, and one of another Io", async () => {
    const memory = new MemoryLayer(4096);
    const twice = new Plain(memory, async (io, next) => {
      memory.isManual = true;
      const first = next(io);
      setImmediate(() => memory.finishAll());
      await expect((async () => next(io))()).rejects.toThrow(/not here/);
      await first;
    });
    await read(twice);
    memory.isManual = false;
  });

  it("refuses the operations it has no method for", async () => {
    const layer = new Plain(new MemoryLayer(4096), (io, next) => next(io));
    await expect(request(layer, environment, Op.write, 0, 512, new Uint8Array(512))).rejects.toMatchObject({
      code: "CEV_NOT_SUPPORTED",
    });
  });
});

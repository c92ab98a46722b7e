import { Device, IoFlag, LayerBase, Op, environmentFrom, ioError, openTree } from "@cev/core";
import type { Io, Layer, LayerDescription, Limits, Support } from "@cev/core";
import { MemoryLayer, PowerCutLayer, Random } from "@cev/test-kit";
import { expect, test } from "vitest";
import { openSnapshots } from "./open-snapshots.ts";

const KIB = 1024;
const environment = environmentFrom(globalThis);

/** Once it is to be interrupted, the next write that should be durable gets no further than the cache of the disk, and nothing else anywhere. */
class InterruptedLayer extends LayerBase {
  readonly name = "interrupted";
  readonly limits: Limits;
  readonly support: Support;
  state: "whole" | "breaking" | "broken" = "whole";
  readonly #disk: Layer;

  constructor(disk: Layer) {
    super([disk]);
    this.limits = disk.limits;
    this.support = disk.support;
    this.#disk = disk;
  }

  submit(io: Io): void {
    if (this.state === "broken") return io.fail("CEV_IO", "it was interrupted", this.name);
    if (this.state === "breaking" && io.op === Op.write && (io.flags & IoFlag.fua) !== 0) {
      this.state = "broken";
      io.flags = 0;
      io.pushAction(interrupted, this);
    }
    this.#disk.submit(io);
  }

  describe(): LayerDescription {
    return { driver: this.name, options: {}, lowers: [this.#disk.describe()] };
  }
}

function interrupted(io: Io, layer: InterruptedLayer): void {
  io.flags = IoFlag.fua;
  io.error ??= ioError(io, "CEV_IO", "it was interrupted", layer.name);
  io.transferred = 0;
}

test("a snapshot loses nothing by an exception of which the cache of its store alone knew as it was opened anew", async () => {
  const contents = new Random(1).bytes(16 * KIB);
  for (let seed = 1; seed <= 10; seed++) {
    const origin = new MemoryLayer(environment, { size: contents.length });
    origin.bytes.set(contents);
    const disk = new PowerCutLayer(environment, { size: 64 * KIB });
    const store = new InterruptedLayer(disk);
    for (const layer of [origin, store]) await openTree(layer);
    const options = { snapshots: [{ name: "s", chunkSize: 4 * KIB }] };

    const [first] = await openSnapshots({ environment, origin, stores: [store], options });
    const device = await Device.open(first!.layer, environment);
    store.state = "breaking";
    await device.write(0, new Random(2).bytes(4 * KIB)).catch(() => undefined);
    expect(store.state).toBe("broken");
    await device.close();
    store.state = "whole";
    // Who was interrupted had not come to the origin yet.
    origin.bytes.set(contents);

    const [second] = await openSnapshots({ environment, origin, stores: [store], options });
    const again = await Device.open(second!.layer, environment);
    await again.write(0, new Random(3).bytes(4 * KIB));
    const image = disk.imageAfterCut(new Random(seed));
    await again.close();

    const left = new PowerCutLayer(environment, { size: image.length, contents: image });
    await openTree(left);
    const [, snapshot] = await openSnapshots({ environment, origin, stores: [left], options });
    const last = await Device.open(snapshot!.layer, environment);
    expect(Buffer.compare(await last.read(0, contents.length), contents)).toBe(0);
    await last.close();
  }
});

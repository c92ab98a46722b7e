import { Device, environmentFrom, openTree } from "@cev/core";
import { InterruptedLayer, MemoryLayer, PowerCutLayer, Random } from "@cev/test-kit";
import { expect, test } from "vitest";
import { openSnapshots } from "./open-snapshots.ts";

const KIB = 1024;
const environment = environmentFrom(globalThis);

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

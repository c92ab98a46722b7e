import { Device, environmentFrom } from "@cev/core";
import { MemoryLayer } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { openSnapshots } from "./open-snapshots.ts";

const KIB = 1024;
const CHUNK = 4 * KIB;
const environment = environmentFrom(globalThis);

/** An origin of eight chunks, of which the first four hold something, and one snapshot of it. */
async function open() {
  const contents = new Uint8Array(8 * CHUNK).fill(1, 0, 4 * CHUNK);
  const origin = new MemoryLayer(environment, { size: contents.length, contents });
  const store = new MemoryLayer(environment, { size: 64 * KIB });
  const options = { snapshots: [{ name: "a", chunkSize: CHUNK }] };
  const opened = await openSnapshots({ environment, origin, stores: [store], options });
  const devices: Device[] = [];
  for (const { layer } of opened) devices.push(await Device.open(layer, environment));
  return { origin: devices[0]!, snapshot: devices[1]!, disk: origin, store };
}

/** By chunk: "d" data, "z" zeroes, with the disk that holds it by number where there is one. */
async function mapOf(device: Device, disks: readonly MemoryLayer[]): Promise<string> {
  const extents = await device.extents(0, device.size, { byHolder: true });
  return extents
    .map(({ length, isZero, holder }) =>
      (isZero ? "z" : `d${disks.findIndex((disk) => disk === holder)}`).concat("×", String(length / CHUNK)),
    )
    .join(" ");
}

describe("extents of snapshots", () => {
  test("what the origin lost is still data in the snapshot, and lies in the store", async () => {
    const { origin, snapshot, disk, store } = await open();
    const disks = [disk, store];
    expect(await mapOf(origin, disks)).toBe("d0×4 z×4");
    expect(await mapOf(snapshot, disks)).toBe("d0×4 z×4");
    await origin.writeZeroes(0, CHUNK);
    await origin.write(6 * CHUNK, new Uint8Array(CHUNK).fill(2));
    expect(await mapOf(origin, disks)).toBe("z×1 d0×3 z×2 d0×1 z×1");
    expect(await mapOf(snapshot, disks)).toBe("d1×1 d0×3 z×4");
    await snapshot.close();
    await origin.close();
  });

  test("what is written to the snapshot is its own", async () => {
    const { origin, snapshot, disk, store } = await open();
    await snapshot.writeZeroes(CHUNK, CHUNK);
    await snapshot.write(7 * CHUNK, new Uint8Array(10).fill(3));
    expect(await mapOf(origin, [disk, store])).toBe("d0×4 z×4");
    const extents = await snapshot.extents(0, snapshot.size);
    expect(extents.map(({ length, isZero }) => [length, isZero])).toEqual([
      [CHUNK, false],
      [CHUNK, true],
      [2 * CHUNK, false],
      [3 * CHUNK, true],
      [512, false],
      [CHUNK - 512, true],
    ]);
    await snapshot.close();
    await origin.close();
  });

  test("a snapshot that was lost is data, and so is one that is closed", async () => {
    const { origin, snapshot } = await open();
    const layer = snapshot.layer as unknown as { snapshot: { invalidCause: unknown } };
    layer.snapshot.invalidCause = { code: "CEV_DEVICE_LOST", message: "it overflowed" };
    const extents = await snapshot.extents(0, snapshot.size);
    expect(extents.map(({ length, isZero }) => [length, isZero])).toEqual([[8 * CHUNK, false]]);
    layer.snapshot.invalidCause = null;
    await snapshot.close();
    expect(snapshot.layer.runs!(0, CHUNK, 1)).toMatchObject([{ content: "data" }]);
    await origin.close();
  });

  test("an origin that is being merged into shows what lies in the store", async () => {
    const first = await open();
    await first.origin.writeZeroes(0, CHUNK);
    await first.snapshot.close();
    await first.origin.close();
    const { disk, store } = first;
    const options = { snapshots: [{ name: "a", chunkSize: CHUNK, isMerging: true }] };
    const [merged] = await openSnapshots({ environment, origin: disk, stores: [store], options });
    await using origin = await Device.open(merged!.layer, environment);
    expect((await origin.read(0, 1))[0]).toBe(1);
    expect(await mapOf(origin, [disk, store])).toBe("d1×1 d0×3 z×4");
  });
});

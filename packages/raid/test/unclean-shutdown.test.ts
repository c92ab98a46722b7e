import { Random } from "@cev/test-kit";
import { describe, expect, it } from "vitest";
import { decodeSuperblock } from "../src/metadata/superblock.ts";
import type { Superblock } from "../src/metadata/superblock.ts";
import { ArrayBench, wrongStripes } from "./support/array-bench.ts";
import { DATA_START } from "./support/make-array.ts";

function superblockOf(image: Uint8Array): Superblock {
  const place = { source: "disk", deviceSize: image.length, version: "1.2", byteOffset: 4096 } as const;
  return decodeSuperblock(image.subarray(4096, 8192), place);
}

const SHAPE = { bitmapChunkSize: 8192 };

describe("an array that was not shut down cleanly", () => {
  async function crashed(missing: readonly number[] = []): Promise<Uint8Array[]> {
    const bench = await ArrayBench.open({ shape: SHAPE, missing });
    await bench.device.write(0, new Random(3).bytes(bench.device.size));
    return bench.images;
  }

  it("has its parity made right where the bitmap says so, and only there", async () => {
    const images = await crashed();
    const [first] = images;
    // The crash came between data and parity, in the first and in the last stripe.
    first![DATA_START + 7]! ^= 0xff;
    first![DATA_START + 7 * 4096 + 9]! ^= 0xff;
    for (const image of images) image[8192 + 256] = 0b0001;
    const bench = await ArrayBench.open({ shape: SHAPE, images });
    await bench.layer.idle();
    expect(superblockOf(bench.images[0]!).resyncSectors).toBe(null);
    expect(wrongStripes(bench.images, SHAPE)).toEqual([7]);
    await bench.device.close();
  });

  it("has all its parity made right when the bitmap is out of date", async () => {
    const images = await crashed();
    images[0]![DATA_START + 7]! ^= 0xff;
    images[0]![DATA_START + 7 * 4096 + 9]! ^= 0xff;
    for (const image of images) {
      image[8192 + 256] = 0;
      image[8192 + 24]!--;
    }
    const bench = await ArrayBench.open({ shape: SHAPE, images });
    await bench.layer.idle();
    expect(wrongStripes(bench.images, SHAPE)).toEqual([]);
    await bench.device.close();
  });

  it("is not reconstructed from where it is only read", async () => {
    const images = await crashed();
    const bench = await ArrayBench.open({ shape: SHAPE, images, isReadOnly: true });
    bench.faults[bench.map.memberOf(0)]!.addBadRange(DATA_START, 512);
    await expect(bench.device.read(0, 512)).rejects.toMatchObject({ code: "CEV_DEGRADED" });
    await bench.device.close();
  });

  it("with a member missing is read-only, says so, and reads what does not hang on the parity", async () => {
    const images = await crashed([2]);
    const bench = await ArrayBench.open({ shape: SHAPE, images, missing: [2] });
    expect(bench.device.isReadOnly).toBe(true);
    expect(bench.array.problems.at(-1)!.message).toContain("the option force (in a stack file, force: true)");
    const there = [0, 1, 2].map((chunk) => chunk * 4096).filter((offset) => bench.map.memberOf(offset) !== 2);
    for (const offset of there) await bench.device.read(offset, 4096);
    await bench.device.close();
  });

  it("with a member missing, written by force, leaves that member behind although it was as new as the others", async () => {
    const images = await crashed();
    const forced = await ArrayBench.open({ shape: SHAPE, images, missing: [2], options: { force: true } });
    await forced.device.write(0, new Uint8Array(4096 * 3).fill(9));
    const again = await ArrayBench.open({ shape: SHAPE, images: forced.images, isReadOnly: true });
    expect(again.layer.array.members.map(({ state }) => state)).toEqual([
      "in sync",
      "in sync",
      "missing",
      "in sync",
    ]);
    await again.device.close();
    await forced.device.close();
  });

  it("whose parity cannot be made right somewhere has the rest made right, stays dirty, and names the place", async () => {
    const images = await crashed();
    images[1]![DATA_START + 7 * 4096 + 9]! ^= 0xff;
    const first = await ArrayBench.open({ shape: SHAPE, images, isReadOnly: true });
    await first.device.close();
    for (const image of images) image[8192 + 256] = 0xff;
    const bench = await ArrayBench.open({
      shape: SHAPE,
      images,
      onDisks: ({ faults }) => faults[0]!.addBadRange(DATA_START + 512, 512),
    });
    await expect(bench.layer.idle()).rejects.toMatchObject({ code: "CEV_DEGRADED" });
    expect(bench.array.problems.at(-1)).toMatchObject({ severity: "error", code: "CEV_DEGRADED" });
    expect(wrongStripes(bench.images, SHAPE)).toEqual([]);
    expect(bench.layer.array.unsynced).toEqual([{ start: 0, end: 4096 }]);
    await bench.device.close();
    expect(superblockOf(bench.images[1]!).resyncSectors).toBe(0);
    expect(bench.images[1]![8192 + 256]).toBe(1);
  });
});

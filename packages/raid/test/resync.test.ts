import { Random } from "@cev/test-kit";
import { describe, expect, it } from "vitest";
import { sync } from "../src/array/sync.ts";
import type { SyncProgress } from "../src/array/sync.ts";
import { ArrayBench, wrongStripes } from "./support/array-bench.ts";
import { DATA_START } from "./support/make-array.ts";

const SHAPE = { memberCount: 5, chunkSize: 8192, chunkCount: 12, layout: 1 };

async function spoiled(): Promise<{ bench: ArrayBench; data: Uint8Array }> {
  const first = await ArrayBench.open({ shape: SHAPE });
  const data = new Random(5).bytes(first.device.size);
  await first.device.write(0, data);
  await first.device.close();
  const { images } = first;
  // The parity of every other stripe is not what it should be.
  for (let stripe = 0; stripe < 12; stripe += 2)
    images[first.map.parityMember(stripe)]![DATA_START + stripe * 8192 + 17 * stripe]! ^= 0x5a;
  return { bench: await ArrayBench.open({ shape: SHAPE, images, completion: "random" }), data };
}

describe("a resync", () => {
  it("makes the parity of the given ranges right, touches no data, and tells how far it has come", async () => {
    const { bench, data } = await spoiled();
    const progress: SyncProgress[] = [];
    const ranges = [
      { start: 0, end: 8192 * 3 },
      { start: 8192 * 6, end: 8192 * 12 },
    ];
    await sync(bench.layer.personality, ranges, "resync", (step) => progress.push(step));
    expect(wrongStripes(bench.images, SHAPE)).toEqual([4]);
    expect(progress.at(-1)).toEqual({ done: 8192 * 9, total: 8192 * 9 });
    expect(await bench.device.read(0, bench.device.size)).toEqual(data);
    await bench.device.close();
  });

  it("writes only where the parity was wrong", async () => {
    const { bench } = await spoiled();
    bench.forget();
    await sync(bench.layer.personality, [{ start: 0, end: 8192 * 12 }], "resync", () => undefined);
    expect(bench.countOf(1)).toBe(6);
    bench.forget();
    await sync(bench.layer.personality, [{ start: 0, end: 8192 * 12 }], "resync", () => undefined);
    expect(bench.countOf(1)).toBe(0);
    await bench.device.close();
  });

  it("that meets what it cannot read ends, gives its memory back, and names the member", async () => {
    const { bench } = await spoiled();
    bench.faults[3]!.addBadRange(DATA_START + 8192, 512);
    const { bytesLent } = bench.environment.buffers;
    await expect(
      sync(bench.layer.personality, [{ start: 0, end: 8192 * 12 }], "resync", () => undefined),
    ).rejects.toMatchObject({
      code: "CEV_DEGRADED",
      place: { cause: { code: "CEV_MEDIUM" } },
    });
    expect(bench.environment.buffers.bytesLent).toBe(bytesLent);
    await bench.device.close();
  });
});

import { Op } from "@cev/core";
import { Random } from "@cev/test-kit";
import { describe, expect, it } from "vitest";
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

describe("a check", () => {
  it("counts what does not match, and changes nothing", async () => {
    const { bench } = await spoiled();
    const before = bench.images;
    const mismatched = await bench.layer.check();
    expect(mismatched).toBeGreaterThanOrEqual(6);
    expect(mismatched).toBeLessThanOrEqual(6 * 8192);
    expect(bench.layer.mismatchedBytes).toBe(mismatched);
    expect(bench.images).toEqual(before);
    await bench.device.close();
    expect(bench.images).toEqual(before);
  });

  it("of an array with nothing left to compare is refused by name", async () => {
    const bench = await ArrayBench.open({ shape: SHAPE, missing: [1] });
    await expect(bench.layer.check()).rejects.toMatchObject({ code: "CEV_DEGRADED" });
    await bench.device.close();
  });
});

describe("a repair", () => {
  it("makes the parity right, writes only where it was wrong, and touches no data", async () => {
    const { bench, data } = await spoiled();
    bench.forget();
    expect(await bench.layer.repair()).toBeGreaterThan(0);
    expect(bench.countOf(Op.write)).toBe(6);
    expect(wrongStripes(bench.images, SHAPE)).toEqual([]);
    expect(await bench.layer.check()).toBe(0);
    expect(await bench.device.read(0, bench.device.size)).toEqual(data);
    await bench.device.close();
  });

  it("that meets what it cannot have ends, gives its memory back, and names the member", async () => {
    const { bench } = await spoiled();
    bench.faults[3]!.addBadRange(DATA_START + 8192, 512);
    bench.faults[2]!.addBadRange(DATA_START + 8192, 512);
    const { bytesLent } = bench.environment.buffers;
    await expect(bench.layer.repair()).rejects.toMatchObject({ code: "CEV_DEGRADED" });
    expect(bench.environment.buffers.bytesLent).toBe(bytesLent);
    expect(bench.layer.action).toBe("idle");
    await bench.device.close();
  });
});

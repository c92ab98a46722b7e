import { EmulationLayer, Op, readBytes, request } from "@cev/core";
import { FaultLayer, MemoryLayer, Random } from "@cev/test-kit";
import { describe, expect, it } from "vitest";
import { LayerBench } from "./support/layer-bench.ts";
import type { LayerBenchOptions } from "./support/layer-bench.ts";

const KIB = 1024;
const SMALL = 1536 * KIB;

const LEVELS: readonly (readonly [string, LayerBenchOptions])[] = [
  ["RAID1", { create: { level: 1 }, memberCount: 2 }],
  ["RAID5", { create: { level: 5, chunkSize: 16 * KIB }, memberCount: 3 }],
  ["RAID6", { create: { level: 6, chunkSize: 16 * KIB }, memberCount: 4 }],
  ["RAID10", { create: { level: 10, chunkSize: 16 * KIB }, memberCount: 4 }],
];

/** A device that can do no more than read, write and flush. */
function plainDisk(bench: LayerBench): { disk: MemoryLayer; late: FaultLayer } {
  const { environment } = bench;
  const support = { writeZeroes: "none", discard: "none", fua: "none" } as const;
  const disk = new MemoryLayer(environment, { size: SMALL, completion: "later", support });
  expect(EmulationLayer.isUsefulOver(disk)).toBe(true);
  return { disk, late: new FaultLayer(disk, environment) };
}

describe.each(LEVELS)("%s, once it is open", (_name, options) => {
  it("takes a member that offers neither zeroes nor durable writes, and does both on it in other ways", async () => {
    const bench = await LayerBench.create({ deviceSize: SMALL, ...options });
    await bench.open();
    const { device, layer, environment } = bench;
    const data = new Random(5).bytes(device.size);
    await bench.write(0, data);
    await bench.idle();
    expect(layer.support).toMatchObject({ writeZeroes: "native", fua: "native" });

    await bench.drive(layer.failMember(1));
    await bench.drive(layer.removeMember(1));
    const { disk, late } = plainDisk(bench);
    await bench.drive(layer.addMember(late, "late"));
    const zero = async (offset: number, length: number): Promise<void> => {
      await bench.drive(request(layer, environment, Op.writeZeroes, offset, length));
      data.fill(0, offset, offset + length);
    };
    // While it is rebuilt, and afterwards.
    await zero(0, 192 * KIB);
    await bench.idle();
    await zero(256 * KIB, 192 * KIB);
    await bench.drive(device.write(0, data.subarray(0, 4 * KIB), { fua: true }));
    expect(layer.array.members.every(({ isInSync }) => isInSync)).toBe(true);
    expect(disk.log.every(({ op }) => op !== Op.writeZeroes && op !== Op.discard)).toBe(true);
    expect(await bench.drive(layer.check())).toBe(0);
    expect(Buffer.compare(await bench.drive(readBytes(layer, environment, 0, data.length)), data)).toBe(0);
    await bench.close();
  });
});

describe("RAID1 that gains a member of that kind", () => {
  it("offers what it offered, and does it", async () => {
    const bench = await LayerBench.create({ create: { level: 1 }, memberCount: 2, deviceSize: SMALL });
    await bench.open();
    const { device, layer, environment } = bench;
    await bench.write(0, new Random(5).bytes(device.size));
    const { late } = plainDisk(bench);
    await bench.drive(layer.addMember(late, "late"));
    await bench.drive(layer.growMembers(3));
    await bench.idle();
    expect(layer.array.members.map(({ state }) => state)).toEqual(["in sync", "in sync", "in sync"]);
    // What the members offer is looked at again whenever the shape changes.
    await bench.drive(layer.growMembers(4));
    for (const op of [Op.writeZeroes, Op.discard] as const)
      await bench.drive(request(layer, environment, op, 64 * KIB, 64 * KIB));
    expect(await bench.read(64 * KIB, 64 * KIB)).toEqual(new Uint8Array(64 * KIB));
    expect(await bench.drive(layer.check())).toBe(0);
    await bench.close();
  });
});

import { isCevError } from "@cev/core";
import { FaultLayer, MemoryLayer, Random, SimulatedWorld } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { openArray } from "../src/array.ts";
import { create } from "../src/crash/creation.ts";
import { placesOfMember } from "../src/images/images.ts";
import { NEAR_2, nameOfShape, shapeOf } from "../src/shape.ts";
import type { Shape } from "../src/shape.ts";
import { readAll } from "../src/work/workload.ts";
import { drive } from "../src/work/world.ts";

const SHAPES = [
  shapeOf({ level: 1, layout: 0, chunkSize: 0, memberCount: 2, version: "1.0" }),
  shapeOf({ memberSize: 65_536, bitmapChunkSize: 4096 }),
  shapeOf({ level: 6, memberCount: 4, version: "0.90" }),
  shapeOf({ level: 10, layout: NEAR_2, version: "1.1" }),
];

/** Makes an array on disks of which one fails one request. Returns whether it came to that request. */
async function createFailing(shape: Shape, hit: number, count: number): Promise<boolean> {
  const world = new SimulatedWorld({ seed: 3 });
  const { environment } = world;
  const random = new Random(count);
  const disks = Array.from({ length: shape.memberCount }, (_, index) => {
    const contents = random.bytes(placesOfMember(shape).size);
    const memory = new MemoryLayer(environment, { size: contents.length, contents, completion: "later" });
    return { name: `d${index}`, layer: new FaultLayer(memory, environment) };
  });
  const { layer } = disks[hit]!;
  layer.failNth(count, random.pick(["CEV_IO", "CEV_MEDIUM", "CEV_NO_SPACE", "CEV_DEVICE_LOST"] as const));
  const error: unknown = await drive(world, create(environment, shape, disks)).then(
    () => null,
    (reason: unknown) => reason,
  );
  if (layer.faultCount === 0) expect(error).toBe(null);
  else expect(isCevError(error), String(error)).toBe(true);
  layer.reset();
  if (error !== null) await drive(world, create(environment, shape, disks, true));
  const { device, layer: array } = await drive(world, openArray(environment, disks));
  expect(array.array.members.every(({ isInSync }) => isInSync)).toBe(true);
  expect((await drive(world, readAll(device))).refused).toEqual([]);
  await drive(world, device.close());
  expect(environment.buffers.bytesLent).toBe(0);
  for (const disk of disks) expect(disk.layer.claims.count).toBe(0);
  return error !== null;
}

describe("a member that fails while an array is made", () => {
  test.each(SHAPES.map((shape) => [nameOfShape(shape), shape] as const))(
    "fails the creation of %s by name, and it can be made anew",
    async (_name, shape) => {
      let failedCount = 0;
      for (let hit = 0; hit < shape.memberCount; hit++)
        for (let count = 1; await createFailing(shape, hit, count); count++) failedCount++;
      // Each member is looked at before it is written.
      expect(failedCount).toBeGreaterThan(2 * shape.memberCount);
    },
  );
});

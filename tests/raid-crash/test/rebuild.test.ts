import { Op } from "@cev/core";
import { decodeSuperblock } from "@cev/raid";
import { Random, SimulatedWorld } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { openArray } from "../src/array.ts";
import { imagesAfterCut } from "../src/crash/cut.ts";
import { disksOf } from "../src/crash/rig.ts";
import type { Disk } from "../src/crash/rig.ts";
import { dataOf, makeImages, placesOfMember } from "../src/images/images.ts";
import { arraySizeOf, contentOf, redundancyFaults } from "../src/reference.ts";
import { NEAR_2, nameOfShape, shapeOf } from "../src/shape.ts";
import type { Shape } from "../src/shape.ts";
import { delay, drive } from "../src/work/world.ts";

const KIB = 1024;
const PARITY = { memberSize: 1024 * KIB, chunkSize: 16 * KIB };
// Mirrors are rebuilt in larger pieces.
const MIRROR = { memberSize: 4096 * KIB };
const SHAPES = [
  shapeOf({ level: 1, layout: 0, chunkSize: 0, memberCount: 3, ...MIRROR }),
  shapeOf({ level: 4, layout: 0, ...PARITY }),
  shapeOf({ bitmapChunkSize: 64 * KIB, ...PARITY }),
  shapeOf({ level: 6, memberCount: 5, ...PARITY }),
  shapeOf({ level: 10, layout: NEAR_2, chunkSize: 64 * KIB, ...MIRROR }),
];

function recoveredTo(shape: Shape, image: Uint8Array): number {
  const { superOffset } = placesOfMember(shape);
  const superblock = decodeSuperblock(image.subarray(superOffset, superOffset + 4096), {
    source: "disk",
    deviceSize: image.length,
    version: shape.version,
    byteOffset: superOffset,
  });
  return superblock.recoverySectors * 512;
}

/** Loses a member, lets another be rebuilt for so long, and takes the power away. */
async function halfRebuilt(shape: Shape, content: Uint8Array): Promise<Uint8Array[]> {
  const world = new SimulatedWorld({ seed: 5 });
  const images = makeImages(shape, content);
  images[1] = new Uint8Array(images[0]!.length);
  const disks = disksOf(world.environment, images);
  const { layer, device } = await drive(world, openArray(world.environment, disks));
  // A quarter each second.
  layer.setSpeedLimit({ maxKiB: shape.memberSize / 4 / KIB });
  const { layer: blank, name } = disks[1]!;
  await drive(world, layer.addMember(blank, name));
  await drive(world, delay(world, 2000));
  // Also what has been rebuilt already must follow what is written.
  const data = new Random(6).bytes(8192);
  await drive(world, device.write(0, data, { fua: true }));
  content.set(data);
  // It is marked clean meanwhile: else the write hole would keep the array from being written.
  await drive(world, delay(world, 900));
  return imagesAfterCut(shape, disks, "all lost", new Random(1));
}

/** The first byte of its data that was written to a disk, and how many bytes were. */
function watchData(disk: Disk, shape: Shape): { first: number; length: number } {
  const { dataOffset } = placesOfMember(shape);
  const seen = { first: Number.POSITIVE_INFINITY, length: 0 };
  const submit = disk.layer.submit.bind(disk.layer);
  disk.layer.submit = (io) => {
    const isData = io.offset >= dataOffset && io.offset < dataOffset + shape.memberSize;
    if (isData && (io.op === Op.write || io.op === Op.writeZeroes)) {
      seen.first = Math.min(seen.first, io.offset - dataOffset);
      seen.length += io.length;
    }
    submit(io);
  };
  return seen;
}

describe.each(SHAPES.map((shape) => ({ name: nameOfShape(shape), shape })))(
  "a rebuild of $name",
  ({ shape }) => {
    test("goes on after a power cut where it had been recorded, and what it had done before is right", async () => {
      const content = new Random(4).bytes(arraySizeOf(shape));
      const images = await halfRebuilt(shape, content);
      const recorded = recoveredTo(shape, images[1]!);
      expect(recorded).toBeGreaterThanOrEqual(shape.memberSize / 4);
      expect(recorded).toBeLessThan(shape.memberSize);

      const world = new SimulatedWorld({ seed: 7 });
      const disks = disksOf(world.environment, images);
      const seen = watchData(disks[1]!, shape);
      const { layer, device } = await drive(world, openArray(world.environment, disks));
      expect(layer.array.members[1]!.state).toBe("rebuilding");
      await drive(world, layer.idle());
      expect(layer.array.members.every(({ isInSync }) => isInSync)).toBe(true);
      expect(seen.first).toBe(recorded);
      expect(seen.length).toBe(shape.memberSize - recorded);
      await drive(world, device.close());

      const members = disks.map(({ platter }) => dataOf(shape, platter.contents));
      expect(redundancyFaults(shape, members)).toEqual([]);
      expect(Buffer.compare(contentOf(shape, members), content)).toBe(0);
    });
  },
);

import { Op } from "@cev/core";
import { Random } from "@cev/test-kit";
import { expect, it } from "vitest";
import { LayerBench } from "./support/layer-bench.ts";

const KIB = 1024;
const SECTOR = 512;
const SIZE = 256 * KIB;

it("an array grows no further than the spare allows that takes the place of a failed member meanwhile", async () => {
  const bench = await LayerBench.create({
    create: { level: 1, size: SIZE, assumeClean: true },
    memberCount: 2,
    deviceSize: 1536 * KIB,
  });
  const layer = await bench.open();
  const small = bench.addDisk(1024 * KIB + SIZE);
  await bench.drive(layer.addMember(small.fault, small.name));
  const data = new Random(4).bytes(SIZE);
  await bench.write(0, data);
  // The spare steps in once no request is under way.
  for (const { fault } of bench.disks) fault.add({ op: Op.read, fault: { kind: "hang" } });
  const reading = bench.device.read(0, 4 * KIB);
  await bench.drive(layer.failMember(1));
  const growing = layer.growSize("max");
  await bench.world.turns(4);
  for (const { fault } of bench.disks) fault.reset();
  await bench.drive(Promise.all([reading, growing]));
  await bench.idle();
  expect(layer.array.members.map(({ name }) => name)).toEqual(["d0", small.name]);
  const { dataOffsetSectors, dataSizeSectors } = (await bench.superblockOf(2))!;
  const room = small.disk.limits.size - dataOffsetSectors * SECTOR;
  expect(dataSizeSectors * SECTOR).toBeLessThanOrEqual(room);
  expect(layer.limits.size).toBe(SIZE);
  expect(await bench.read(0, SIZE)).toEqual(data);
  await bench.close();
});

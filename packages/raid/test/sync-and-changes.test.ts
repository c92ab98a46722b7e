import { Op } from "@cev/core";
import { describe, expect, it } from "vitest";
import { LayerBench } from "./support/layer-bench.ts";

const SMALL = 1536 * 1024;
const DATA_START = 1024 * 1024;

describe("superblocks that are written just as a piece of a resync ends", () => {
  it("say that it is in sync only after it was made durable", async () => {
    const bench = await LayerBench.create({
      create: { level: 1 },
      memberCount: 2,
      deviceSize: SMALL,
    });
    const { array } = await bench.open();
    const { disk } = bench.disks[1]!;
    const synced = array.synced.bind(array);
    const update = new Promise<void>((resolve, reject) => {
      array.synced = (start, end) => {
        array.synced = synced;
        synced(start, end);
        disk.log.length = 0;
        array.keeper!.update().then(resolve, reject);
      };
    });
    await bench.drive(update);
    const ops = disk.log.map(({ op, offset }) => ({ op, offset }));
    const written = ops.findIndex(({ op, offset }) => op === Op.write && offset < DATA_START);
    expect(ops.slice(0, written).map(({ op }) => op)).toContain(Op.flush);
    await bench.close();
  });
});

describe("changes of the members at one time", () => {
  it("come one after the other, and the rebuild that follows is begun", async () => {
    const bench = await LayerBench.create({
      create: { level: 1, bitmap: "internal", assumeClean: true },
      memberCount: 3,
      deviceSize: SMALL,
    });
    const layer = await bench.open();
    await bench.idle();
    await bench.drive(layer.failMember(2));
    await bench.drive(Promise.all([layer.removeMember(2), layer.growMembers(4), layer.growMembers(3)]));
    const fresh = bench.addDisk();
    await bench.drive(layer.addMember(fresh.fault, fresh.name));
    await bench.idle();
    expect(layer.array.members.map(({ state }) => state)).toEqual(["in sync", "in sync", "in sync"]);
    await bench.close();
  });

  it("are waited for when the array is closed, and begin nothing afterwards", async () => {
    const bench = await LayerBench.create({
      create: { level: 1, bitmap: "internal" },
      memberCount: 3,
      deviceSize: SMALL,
    });
    const layer = await bench.open();
    await bench.drive(layer.failMember(2));
    await bench.drive(layer.cancelSync());
    const removal = layer.removeMember("d2");
    await bench.close();
    await bench.drive(removal);
    bench.forget();
    for (let turns = 0; turns < 50; turns++) {
      await Promise.resolve();
      bench.world.step();
    }
    expect(bench.disks.flatMap(({ disk }) => disk.log)).toEqual([]);
  });
});

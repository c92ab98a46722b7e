import { environmentFrom } from "@cev/core";
import { CheckingLayer, MemoryLayer, Random } from "@cev/test-kit";
import { describe, expect, it } from "vitest";
import { FeatureFlag } from "../src/metadata/superblock-features.ts";
import { makeImages } from "./support/make-array.ts";
import { openArray } from "./support/open-array.ts";

const CHUNK = 4096;
const LENGTH_MAX = 8192;

describe("members that take no longer requests than two chunks", () => {
  it("are sent no longer ones by a RAID0 whose last zone is that of one member", async () => {
    const environment = environmentFrom(globalThis);
    const images = makeImages({
      memberCount: 2,
      chunkSize: CHUNK,
      chunkCount: 16,
      changes: ({ dataSizeSectors }, index) => ({
        level: 0,
        layout: 1,
        sizeSectors: 0,
        features: FeatureFlag.raid0Layout,
        dataSizeSectors: index === 0 ? dataSizeSectors / 8 : dataSizeSectors,
      }),
    });
    const disks = images.map(
      (contents) =>
        new CheckingLayer(
          new MemoryLayer(environment, {
            size: contents.length,
            contents,
            limits: { ioLengthMax: LENGTH_MAX },
          }),
        ),
    );
    const { device } = await openArray(disks, { environment, isReadOnly: false });
    const data = new Random(5).bytes(device.size);
    expect(device.size).toBe(18 * CHUNK);
    await device.write(0, data);
    expect(await device.read(0, device.size)).toEqual(data);
    await device.close();
    for (const disk of disks) disk.check();
  });
});

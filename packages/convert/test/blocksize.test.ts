import { Device, environmentFrom } from "@cev/core";
import type { Layer, OpenedDevice, Problem } from "@cev/core";
import { MemoryLayer } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { LargeBlockLayer, SmallBlockLayer, blockSizeDriver, blockSizeOptions } from "../src/index.ts";

const environment = environmentFrom(globalThis);

async function open(
  layer: Layer,
  logicalBlockSize: number,
  isReadOnly = false,
): Promise<{ readonly device: OpenedDevice; readonly problems: readonly Problem[] }> {
  const problems: Problem[] = [];
  const [device] = await blockSizeDriver.open({
    environment,
    options: { logicalBlockSize },
    lowers: [{ name: "d0", layer }],
    keySource: { keys: [] },
    isReadOnly,
    canWriteDegraded: false,
    directory: ".",
    report: (problem) => problems.push(problem),
  });
  return { device: device!, problems };
}

describe("blocks of another size", () => {
  test("S2 of 512 bytes on blocks of 4096: the rest of a block stays as it was", async () => {
    const disk = new MemoryLayer(environment, {
      size: 8192,
      blockSize: 4096,
      contents: new Uint8Array(8192).fill(7),
    });
    const { layer } = (await open(disk, 512)).device;
    expect(layer).toBeInstanceOf(SmallBlockLayer);
    await using device = await Device.open(layer, environment, { blockSize: 512 });
    await device.write(1024, new Uint8Array(512).fill(1));
    expect(disk.bytes.filter((byte) => byte === 1)).toHaveLength(512);
    expect(disk.bytes.indexOf(1)).toBe(1024);
    expect(disk.bytes.filter((byte) => byte === 7)).toHaveLength(8192 - 512);
  });

  test("S2 of 4096 bytes on blocks of 512: an end that fills no block is left out, and that is said", async () => {
    const disk = new MemoryLayer(environment, { size: 9216 });
    const { device, problems } = await open(disk, 4096);
    expect(device.layer).toBeInstanceOf(LargeBlockLayer);
    expect(device.layer.limits).toMatchObject({
      size: 8192,
      logicalBlockSize: 4096,
      physicalBlockSize: 4096,
    });
    expect(problems).toMatchObject([{ code: "CEV_INVALID", device: "d0" }]);
    expect(problems[0]!.message).toContain("the last 1024 bytes of d0");
  });

  test.each([512, 4096, 8192])(
    "of %i bytes on blocks of 4096 are opened again from their description",
    async (size) => {
      const disk = new MemoryLayer(environment, { size: 16_384, blockSize: 4096 });
      const description = (await open(disk, size)).device.layer.describe();
      expect(description).toMatchObject({
        driver: "@cev/convert/blocksize",
        options: { logicalBlockSize: size },
      });
      const again = await open(disk, (description.options as { logicalBlockSize: number }).logicalBlockSize);
      expect(again.device.layer.describe()).toEqual(description);
    },
  );

  test("are refused where the device is smaller than one", async () => {
    const disk = new MemoryLayer(environment, { size: 1024 });
    await expect(open(disk, 4096)).rejects.toMatchObject({ code: "CEV_INVALID" });
    const short = new MemoryLayer(environment, { size: 65_536, limits: { ioLengthMax: 2048 } });
    await expect(open(short, 4096)).rejects.toMatchObject({ code: "CEV_INVALID" });
    expect(() => new LargeBlockLayer(disk, { logicalBlockSize: 256 })).toThrow(/blocks of 512/);
    expect(() => new SmallBlockLayer(disk, { logicalBlockSize: 512, environment })).toThrow(/blocks of 512/);
  });

  test.each([512, 8192])("of %i bytes opened read-only write nothing", async (size) => {
    const disk = new MemoryLayer(environment, { size: 16_384, blockSize: 4096 });
    const { device } = await open(disk, size, true);
    expect(device).toMatchObject({ state: "read-only", layer: { support: { write: "none" } } });
  });

  test.each([
    [{}],
    [{ logicalBlockSize: 3 }],
    [{ logicalBlockSize: "512" }],
    [{ logicalBlockSize: 512, x: 1 }],
  ])("the options %j are refused", (options) => {
    expect(blockSizeOptions["~standard"].validate(options)).toHaveProperty("issues");
  });
});

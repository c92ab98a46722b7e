import { Device, environmentFrom } from "@cev/core";
import { describe, expect, test } from "vitest";
import { RamdiskLayer, ramdiskDriver, ramdiskOptions } from "../src/index.ts";

const environment = environmentFrom(globalThis);
const validate = (value: unknown) => ramdiskOptions["~standard"].validate(value);

describe("the driver", () => {
  test("opens a device of the size asked for", async () => {
    const opened = await ramdiskDriver.open({
      environment,
      options: { size: 8192, blockSize: 4096 },
      lowers: [],
      keySource: { keys: [] },
      isReadOnly: false,
      canWriteDegraded: false,
      directory: ".",
      report: () => undefined,
    });
    const layer = opened[0]!.layer;
    expect(opened).toMatchObject([{ name: null, state: "clean", details: { size: 8192, blockSize: 4096 } }]);
    expect(layer.limits).toMatchObject({ size: 8192, logicalBlockSize: 4096 });
    expect(layer.describe()).toEqual({
      driver: "@cev/hw-ramdisk",
      options: { size: 8192, blockSize: 4096 },
      lowers: [],
    });
    const device = await Device.open(layer, environment);
    await device.write(3, Uint8Array.of(1));
    expect(await device.read(2, 3)).toEqual(Uint8Array.of(0, 1, 0));
    await device.close();
  });
});

describe("options", () => {
  test("a size is enough", () => {
    expect(validate({ size: 1024 })).toEqual({ value: { size: 1024, blockSize: 512 } });
  });

  test.each([
    ["no object", null, []],
    ["no size", {}, ["size"]],
    ["a size that is no whole block", { size: 1000 }, ["size"]],
    ["a negative size", { size: -512 }, ["size"]],
    ["a size past the safe integers", { size: 2 ** 60 }, ["size"]],
    ["a block size that is no power of two", { size: 1024, blockSize: 768 }, ["blockSize"]],
    ["a block size of zero", { size: 1024, blockSize: 0 }, ["blockSize"]],
    ["an unknown option", { size: 1024, sparse: true }, ["sparse"]],
  ])("%s is refused, with its path", (_what, value, path) => {
    expect(validate(value)).toMatchObject({ issues: [{ path }] });
    expect(() => new RamdiskLayer(environment, value as never)).toThrow(
      expect.objectContaining({ code: "CEV_INVALID" }),
    );
  });
});

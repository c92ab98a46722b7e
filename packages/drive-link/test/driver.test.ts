import { Device, Io, Op, environmentFrom, subEventsOf } from "@cev/core";
import type { Layer, OpenedDevice, Problem } from "@cev/core";
import { FaultLayer, MemoryLayer } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { DriveLinkLayer, driveLinkDriver, driveLinkOptions } from "../src/index.ts";
import type { DriveLinkOptions } from "../src/index.ts";

const environment = environmentFrom(globalThis);

function disk(size: number, fill: number, blockSize = 512): MemoryLayer {
  return new MemoryLayer(environment, { size, blockSize, contents: new Uint8Array(size).fill(fill) });
}

const named = (layers: readonly Layer[]) => layers.map((layer, index) => ({ name: `d${index}`, layer }));

async function open(
  layers: readonly Layer[],
  options: DriveLinkOptions = {},
): Promise<{ readonly device: OpenedDevice; readonly problems: readonly Problem[] }> {
  const problems: Problem[] = [];
  const [device] = await driveLinkDriver.open({
    environment,
    options,
    lowers: named(layers),
    keySource: { keys: [] },
    isReadOnly: false,
    canWriteDegraded: false,
    directory: ".",
    report: (problem) => problems.push(problem),
  });
  return { device: device!, problems };
}

describe("a link", () => {
  test("S6 shows its devices one behind the other, in the order given", async () => {
    const disks = [disk(2048, 1), disk(512, 2), disk(1024, 3)];
    await using device = await Device.open((await open(disks)).device.layer, environment);
    const expected = [1, 1, 1, 1, 2, 3, 3].flatMap((value) => Array.from({ length: 512 }, () => value));
    expect([...(await device.read(0, device.size))]).toEqual(expected);
    await device.write(1536, new Uint8Array(1536).fill(9));
    expect(disks.map(({ bytes }) => [...bytes].filter((byte) => byte === 9).length)).toEqual([512, 512, 512]);
    expect(disks.map(({ bytes }) => bytes.indexOf(9))).toEqual([1536, 0, 0]);
  });

  test("has the largest of its devices' blocks; what does not fill one is left out, and that is said", async () => {
    const { device, problems } = await open([disk(4096 + 1536, 1), disk(8192, 2, 4096)], {
      sizes: [5632, 8192],
    });
    expect(device.layer.limits).toMatchObject({ size: 12_288, logicalBlockSize: 4096 });
    expect(problems).toMatchObject([{ code: "CEV_INVALID", device: "d0" }]);
    expect(problems[0]!.message).toContain("the last 1536 bytes of d0");
    expect(device.details).toMatchObject({
      devices: [
        { name: "d0", start: 0, length: 4096, size: 5632 },
        { name: "d1", start: 4096, length: 8192, size: 8192 },
      ],
    });
  });

  test("of which one device has died still serves the others, and counts what came before it", async () => {
    const fault = new FaultLayer(disk(2048, 2), environment);
    const link = new DriveLinkLayer(named([disk(2048, 1), fault, disk(2048, 3)]));
    await using device = await Device.open(link, environment);
    let isDead = true;
    fault.add({ fault: { kind: "error", code: "CEV_DEVICE_LOST" }, accepts: () => isDead });
    expect((await device.read(4096, 2048))[0]).toBe(3);
    const io = new Io(environment.runQueue).prepare(Op.read, 1024, 4096, new Uint8Array(4096));
    link.submit(io);
    expect(io).toMatchObject({ transferred: 1024, error: { code: "CEV_DEVICE_LOST" } });
    expect(subEventsOf(io)).toEqual([]);
    await expect(device.flush()).rejects.toMatchObject({ code: "CEV_DEVICE_LOST" });
    isDead = false;
  });

  test("is opened again from its description", async () => {
    const disks = [disk(2048, 1), disk(512, 2)];
    const { layer } = (await open(disks)).device;
    const description = layer.describe();
    expect(description).toMatchObject({ driver: "@cev/drive-link", options: { sizes: [2048, 512] } });
    const again = await open(disks, description.options);
    expect(again.problems).toEqual([]);
    expect(again.device.layer.limits).toEqual(layer.limits);
  });
});

describe("what would show data at the wrong places is refused", () => {
  const sizes = [2048, 1024];

  test.each([
    ["devices in another order", [disk(1024, 1), disk(2048, 2)]],
    ["a device that was cut short", [disk(1536, 1), disk(1024, 2)]],
    ["a missing device", [disk(2048, 1)]],
    ["one device too many", [disk(2048, 1), disk(1024, 2), disk(1024, 3)]],
    ["a device smaller than a block", [disk(2048, 1, 2048), disk(1024, 2)]],
  ])("%s", async (_, disks) => {
    await expect(open(disks, { sizes })).rejects.toMatchObject({ code: "CEV_INVALID" });
  });

  test("one device twice", async () => {
    const one = disk(2048, 1);
    await expect(open([one, one])).rejects.toMatchObject({ code: "CEV_AMBIGUOUS" });
  });

  test("without sizes a warning says what to record", async () => {
    const { problems } = await open([disk(2048, 1), disk(1024, 2)]);
    expect(problems).toMatchObject([{ severity: "warning", code: "CEV_AMBIGUOUS" }]);
    expect(problems[0]!.message).toContain("sizes: [2048, 1024]");
  });
});

describe("options", () => {
  const validate = (value: unknown) => driveLinkOptions["~standard"].validate(value);

  test.each([
    [undefined, {}],
    [{}, {}],
    [{ sizes: [512, 1024] }, { sizes: [512, 1024] }],
  ])("%j is taken", (value, expected) => {
    expect(validate(value)).toEqual({ value: expected });
  });

  test.each([
    ["no object", [], undefined],
    ["no list", { sizes: 512 }, ["sizes"]],
    ["a size of zero", { sizes: [0] }, ["sizes"]],
    ["a size past the safe integers", { sizes: [2 ** 60] }, ["sizes"]],
    ["an unknown option", { order: "any" }, ["order"]],
  ])("%s is refused", (_, value, path) => {
    expect(validate(value)).toMatchObject({ issues: [path === undefined ? {} : { path }] });
  });
});

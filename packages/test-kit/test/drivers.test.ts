import { Device, INTERFACE_VERSION, environmentFrom } from "@cev/core";
import type { Driver, Json, Layer, OpenContext } from "@cev/core";
import { describe, expect, test } from "vitest";
import { corruptionDriver } from "../src/drivers/corruption.ts";
import { faultDriver } from "../src/drivers/fault.ts";
import { pauseDriver } from "../src/drivers/pause.ts";
import { powerCutDriver } from "../src/drivers/power-cut.ts";
import { recordDriver } from "../src/drivers/record.ts";
import { statisticsDriver } from "../src/drivers/statistics.ts";
import { throttleDriver } from "../src/drivers/throttle.ts";
import { MemoryLayer, SimulatedWorld, WriteLog } from "../src/index.ts";

const SIZE = 65_536;
const environment = environmentFrom(globalThis);
const bytesOf = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);

type Options = { readonly [key: string]: Json };
type AnyDriver = Pick<Driver, "name" | "interfaceVersion" | "options" | "optionsSchema" | "lowers"> & {
  open(context: OpenContext<never>): ReturnType<Driver["open"]>;
};

const DRIVERS: readonly (readonly [AnyDriver, Options])[] = [
  [
    faultDriver,
    {
      seed: 3,
      rules: [
        { op: "read", range: [0, 512], skip: 1, count: 2, probability: 0.5, fault: "error CEV_MEDIUM" },
      ],
      badRanges: [[4096, 512]],
    },
  ],
  [
    corruptionDriver,
    { seed: 3, memoryMax: 0, rules: [{ op: "write", corruption: "tornWrite", keep: "suffix" }] },
  ],
  [throttleDriver, { seed: 1, latencyMs: 5, requestsPerSecond: 100 }],
  [pauseDriver, {}],
  [statisticsDriver, {}],
  [
    powerCutDriver,
    { seed: 2, atomicLength: 512, memoryMax: 4096, policy: "none", cutAfterWrites: 3, returns: "atOnce" },
  ],
  [recordDriver, {}],
];

async function open(
  driver: AnyDriver,
  options: Options,
  lowers: readonly Layer[],
  world = environment,
): Promise<Layer> {
  const checked = await driver.options["~standard"].validate(options);
  if (checked.issues !== undefined) throw new Error(checked.issues[0]!.message);
  const context: OpenContext<unknown> = {
    environment: world,
    options: checked.value,
    lowers: lowers.map((layer, index) => ({ name: `d${index}`, layer })),
    keySource: { keys: [] },
    isReadOnly: false,
    canWriteDegraded: false,
    directory: "/",
    report: () => undefined,
  };
  const [device] = await driver.open(context as OpenContext<never>);
  return device!.layer;
}

describe.each(DRIVERS.map(([driver, options]) => [driver.name, driver, options] as const))(
  "%s",
  (name, driver, options) => {
    const lowersOf = (): MemoryLayer[] =>
      Array.from({ length: driver.lowers.countMin }, () => new MemoryLayer(environment, { size: SIZE }));

    test("is made again from what it says of itself", async () => {
      const layer = await open(driver, options, lowersOf());
      const description = layer.describe();
      expect(description).toMatchObject({ driver: name, options });
      expect(name).toBe(`@cev/test-kit/${name.slice("@cev/test-kit/".length)}`);
      expect(driver.interfaceVersion).toBe(INTERFACE_VERSION);
      const again = await open(driver, description.options, lowersOf());
      expect(again.describe()).toEqual(description);
    });

    test("refuses an option that it does not know, by its name", () => {
      expect(driver.options["~standard"].validate({ nonsense: 1 })).toEqual({
        issues: [{ message: "there is no such option", path: ["nonsense"] }],
      });
    });
  },
);

describe("options are refused with their place", () => {
  test.each<[AnyDriver, Json, (string | number)[]]>([
    [faultDriver, { rules: [{ fault: "hang" }, { fault: "error CEV_NONSENSE" }] }, ["rules", 1, "fault"]],
    [faultDriver, { rules: [{}] }, ["rules", 0, "fault"]],
    [faultDriver, { rules: [{ fault: "hang", range: [1] }] }, ["rules", 0, "range"]],
    [faultDriver, { rules: [{ fault: "hang", op: "trim" }] }, ["rules", 0, "op"]],
    [faultDriver, { seed: 1.5 }, ["seed"]],
    [faultDriver, { rules: {} }, ["rules"]],
    [throttleDriver, { latencyMs: -1 }, ["latencyMs"]],
    [throttleDriver, { bytesPerSecond: "fast" }, ["bytesPerSecond"]],
    [throttleDriver, [], []],
    [powerCutDriver, { policy: "some" }, ["policy"]],
    [corruptionDriver, { rules: [{ corruption: "bitRot", bits: 0 }] }, ["rules", 0, "bits"]],
  ])("%#", (driver, options, path) => {
    expect(driver.options["~standard"].validate(options)).toMatchObject({ issues: [{ path }] });
  });
});

test("faults are what the options say", async () => {
  const world = new SimulatedWorld({ seed: 1 });
  const options = {
    rules: [
      { op: "write", range: [1024, 2048], fault: "error CEV_NO_SPACE" },
      { op: "flush", count: 1, fault: "delay 20ms" },
    ],
    badRanges: [[4096, 512]],
  };
  const memory = new MemoryLayer(world.environment, { size: SIZE });
  const device = await world.drive(
    Device.open(await open(faultDriver, options, [memory], world.environment), world.environment),
  );
  await expect(world.drive(device.write(1536, bytesOf(512, 1)))).rejects.toMatchObject({
    code: "CEV_NO_SPACE",
  });
  await world.drive(device.write(2048, bytesOf(512, 1)));
  await expect(world.drive(device.read(4096, 512))).rejects.toMatchObject({ code: "CEV_MEDIUM" });
  await world.drive(device.flush());
  expect(world.now).toBe(20);
});

test.each([
  ["never", "CEV_DEVICE_LOST"],
  ["atOnce", undefined],
] as const)("the power goes with the third write, and returns %s", async (returns, code) => {
  const world = new SimulatedWorld({ seed: 1 });
  const memory = new MemoryLayer(world.environment, { size: SIZE });
  const options = { cutAfterWrites: 3, policy: "none", returns };
  const layer = await open(powerCutDriver, options, [memory], world.environment);
  const device = await world.drive(Device.open(layer, world.environment));
  await world.drive(device.write(0, bytesOf(512, 1), { fua: true }));
  await world.drive(device.write(512, bytesOf(512, 2)));
  await world.drive(device.write(1024, bytesOf(512, 3)));
  await world.run();
  const read = world.drive(device.read(0, 1536)).then(
    (data) => [data[0], data[512], data[1024]],
    (error: unknown) => (error as { readonly code: string }).code,
  );
  expect(await read).toEqual(code ?? [1, 0, 0]);
  expect([memory.bytes[0], memory.bytes[512]]).toEqual([1, 0]);
});

test("the power goes at its time", async () => {
  const world = new SimulatedWorld({ seed: 1 });
  const memory = new MemoryLayer(world.environment, { size: SIZE });
  const layer = await open(powerCutDriver, { cutAfterMs: 50, policy: "all" }, [memory], world.environment);
  const device = await world.drive(Device.open(layer, world.environment));
  await world.drive(device.write(0, bytesOf(512, 1)));
  expect(memory.bytes[0]).toBe(0);
  await world.run();
  expect([world.now, memory.bytes[0]]).toEqual([50, 1]);
  await expect(world.drive(device.flush())).rejects.toMatchObject({ code: "CEV_DEVICE_LOST" });
});

test("a recording goes to the second device", async () => {
  const [device, log] = [0, 1].map(() => new MemoryLayer(environment, { size: SIZE }));
  const opened = await Device.open(await open(recordDriver, {}, [device!, log!]), environment);
  await opened.write(0, bytesOf(512, 1));
  await opened.close();
  expect(device!.bytes[0]).toBe(1);
  // The write, the flush of the close, the mark at the end.
  expect((await WriteLog.open(log!, environment)).entryCount).toBe(3);
});

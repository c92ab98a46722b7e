import { Device, INTERFACE_VERSION, Op, closeTree, environmentFrom, openTree, request } from "@cev/core";
import type { Driver, Json, Layer, OpenContext, Problem } from "@cev/core";
import { describe, expect, test } from "vitest";
import { checkingDriver } from "../src/drivers/checking.ts";
import { corruptionDriver } from "../src/drivers/corruption.ts";
import { faultDriver } from "../src/drivers/fault.ts";
import { noOpDriver } from "../src/drivers/no-op.ts";
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
  [checkingDriver, {}],
  [noOpDriver, {}],
  [noOpDriver, { isAsync: true }],
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
  report: (problem: Problem) => void = () => undefined,
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
    report,
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
    [noOpDriver, { isAsync: 1 }, ["isAsync"]],
    [powerCutDriver, { policy: "some" }, ["policy"]],
    [corruptionDriver, { rules: [{ corruption: "bitRot", bits: 0 }] }, ["rules", 0, "bits"]],
  ])("%#", (driver, options, path) => {
    expect(driver.options["~standard"].validate(options)).toMatchObject({ issues: [{ path }] });
  });
});

const write = { op: "write", fault: "hang" };

test.for<[AnyDriver, Options, RegExp]>([
  [faultDriver, { rules: [{ ...write, range: [8192, 4096] }] }, /rules\[0\]\.range: it ends before/],
  [faultDriver, { rules: [write, { ...write, range: [0, 0] }] }, /rules\[1\]\.range: .* is empty/],
  [faultDriver, { rules: [{ ...write, range: [SIZE, SIZE + 1] }] }, /behind the end .* 65536 bytes/],
  [faultDriver, { rules: [{ op: "flush", range: [0, 512], fault: "hang" }] }, /a flush touches no bytes/],
  [faultDriver, { badRanges: [[SIZE, 512]] }, /badRanges\[0\]: it begins behind/],
  [faultDriver, { badRanges: [[0, 0]] }, /badRanges\[0\]: .* is empty/],
  [
    corruptionDriver,
    { rules: [{ op: "flush", corruption: "bitRot" }] },
    /rules\[0\]\.op: .* only to read, write/,
  ],
  [corruptionDriver, { rules: [{ op: "write", corruption: "lostFlush" }] }, /only to flush/],
  [corruptionDriver, { rules: [{ range: [0, 512], corruption: "lostFlush" }] }, /a flush touches no bytes/],
  [
    corruptionDriver,
    { rules: [{ corruption: "phantomWrite", bits: 2 }] },
    /\.bits: phantomWrite has no such/,
  ],
  [corruptionDriver, { rules: [{ corruption: "misdirectedRead", delta: 0 }] }, /\.delta: 0 is no multiple/],
  [corruptionDriver, { atomicLength: 700 }, /expected a multiple of 512/],
  [powerCutDriver, { atomicLength: 700 }, /expected a multiple of 512/],
])("what could never happen is refused: %$", async ([driver, options, says]) => {
  const lower = new MemoryLayer(environment, { size: SIZE });
  await expect(open(driver, options, [lower])).rejects.toThrow(says);
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

test("the power tells what it took, with the seed that takes it again", async () => {
  const memory = new MemoryLayer(environment, { size: SIZE });
  const problems: Problem[] = [];
  const options = { seed: 9, cutAfterWrites: 2, policy: "none" };
  const layer = await open(powerCutDriver, options, [memory], environment, (problem) =>
    problems.push(problem),
  );
  await openTree(layer);
  await request(layer, environment, Op.write, 0, 512, bytesOf(512, 1));
  await request(layer, environment, Op.write, 512, 512, bytesOf(512, 2));
  await closeTree(layer);
  expect(problems).toEqual([
    {
      severity: "warning",
      code: "CEV_DEVICE_LOST",
      device: "d0",
      message:
        "d0: the power went (seed 9): of 2 writes that were not flushed 0 are there, 0 in part, 2 not; " +
        "all is refused until it is opened anew",
    },
  ]);
});

test("a checking layer tells of a breach when it happens", async () => {
  const memory = new MemoryLayer(environment, { size: SIZE });
  const problems: Problem[] = [];
  const layer = await open(checkingDriver, {}, [memory], environment, (problem) => problems.push(problem));
  await openTree(layer);
  await expect(request(layer, environment, Op.read, SIZE, 512, bytesOf(512, 0))).rejects.toMatchObject({
    code: "CEV_INVALID",
  });
  expect(problems).toEqual([
    {
      severity: "warning",
      code: "CEV_PROGRAM",
      device: "d0",
      message: `d0: the layer contract is broken: read of 512 bytes at ${SIZE} passes the end at ${SIZE}`,
    },
  ]);
  await closeTree(layer);
});

test("in a stack a checking layer passes on what it knows, and refuses operations of another time", async () => {
  const reached: Op[] = [];
  const memory = new MemoryLayer(environment, { size: SIZE });
  const submit = memory.submit.bind(memory);
  memory.submit = (io) => {
    reached.push(io.op);
    submit(io);
  };
  const layer = await open(checkingDriver, {}, [memory]);
  await openTree(layer);
  await expect(request(layer, environment, 9 as Op, 0, 512)).rejects.toMatchObject({
    code: "CEV_NOT_SUPPORTED",
  });
  expect(reached).toEqual([]);
  await closeTree(layer);
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

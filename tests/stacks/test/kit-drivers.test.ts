import { environmentFrom } from "@cev/core";
import type { Details, Problem } from "@cev/core";
import { ramdiskDriver } from "@cev/hw-ramdisk";
import { DriverRegistry, openStack } from "@cev/stack";
import type { Stack } from "@cev/stack";
import { checkingDriver } from "@cev/test-kit/checking";
import { corruptionDriver } from "@cev/test-kit/corruption";
import { faultDriver } from "@cev/test-kit/fault";
import { noOpDriver } from "@cev/test-kit/no-op";
import { pauseDriver } from "@cev/test-kit/pause";
import { powerCutDriver } from "@cev/test-kit/power-cut";
import { recordDriver } from "@cev/test-kit/record";
import { statisticsDriver } from "@cev/test-kit/statistics";
import { throttleDriver } from "@cev/test-kit/throttle";
import { describe, expect, test } from "vitest";

const environment = environmentFrom(globalThis);
const KIT = [
  noOpDriver,
  checkingDriver,
  pauseDriver,
  statisticsDriver,
  throttleDriver,
  faultDriver,
  corruptionDriver,
  powerCutDriver,
  recordDriver,
];
const drivers = new DriverRegistry([ramdiskDriver, ...KIT]);
const MIB = 1 << 20;

/** A driver of the kit over a disk in memory, in a stack file. */
function stackOf(driver: string, options: Details, onProblem?: (problem: Problem) => void): Promise<Stack> {
  const disk = { driver: "@cev/hw-ramdisk", size: MIB };
  const lowers = driver === recordDriver.name ? ["d0", "d1"] : ["d0"];
  const devices = { d0: disk, d1: disk, top: { driver, lowers, ...options } };
  const description = { devices, exports: { top: "top" } };
  return openStack(description, {
    environment,
    drivers,
    source: "stack.yaml",
    ...(onProblem !== undefined && { onProblem }),
  });
}

describe("test layers in a stack file", () => {
  test.each<[string, Details]>([
    ["no-op", {}],
    ["no-op", { isAsync: true }],
    ["checking", {}],
    ["pause", {}],
    ["statistics", {}],
    ["throttle", { requestsPerSecond: 1_000_000, seed: 2 }],
    ["fault", { rules: [{ op: "discard", fault: "error CEV_IO" }] }],
    ["corruption", { rules: [{ op: "flush", corruption: "lostFlush" }] }],
    ["power-cut", { seed: 3, policy: "writes", returns: "atOnce" }],
    ["record", {}],
  ])("%s %j shows what was written, and is described as it was named", async (name, options) => {
    await using stack = await stackOf(`@cev/test-kit/${name}`, options);
    const device = await stack.open("top");
    const data = new Uint8Array(8192).fill(7);
    await device.write(4096, data, { fua: true });
    await device.flush();
    expect(await device.read(4096, 8192)).toEqual(data);
    expect(stack.describe().devices["top"]).toMatchObject({ driver: `@cev/test-kit/${name}`, ...options });
  });

  test("fault: the second write fails", async () => {
    const rules = [{ op: "write", skip: 1, count: 1, fault: "error CEV_NO_SPACE" }];
    await using stack = await stackOf("@cev/test-kit/fault", { rules });
    const device = await stack.open("top");
    await device.write(0, new Uint8Array(512));
    await expect(device.write(0, new Uint8Array(512))).rejects.toMatchObject({ code: "CEV_NO_SPACE" });
    await device.write(0, new Uint8Array(512));
  });

  test("corruption: what a write says it wrote is not there", async () => {
    await using stack = await stackOf("@cev/test-kit/corruption", {
      rules: [{ op: "write", corruption: "phantomWrite" }],
    });
    const device = await stack.open("top");
    await device.write(0, new Uint8Array(512).fill(1));
    expect((await device.read(0, 512)).every((byte) => byte === 0)).toBe(true);
  });

  test("power-cut: what was not flushed is gone, and the stack says so", async () => {
    const problems: string[] = [];
    await using stack = await stackOf(
      "@cev/test-kit/power-cut",
      { cutAfterWrites: 2, policy: "none", returns: "atOnce" },
      ({ code, message }) => problems.push(`${code} ${message}`),
    );
    const device = await stack.open("top");
    await device.write(0, new Uint8Array(512).fill(1), { fua: true });
    await device.write(512, new Uint8Array(512).fill(2));
    // The cut ends in a later turn; then it is back.
    while (problems.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const read = await device.read(0, 1024);
    expect([read[0], read[512]]).toEqual([1, 0]);
    expect(problems).toEqual([
      "CEV_DEVICE_LOST d0: the power went (seed 1): of 1 writes that were not flushed 0 are there, " +
        "0 in part, 1 not; it is back",
    ]);
  });
});

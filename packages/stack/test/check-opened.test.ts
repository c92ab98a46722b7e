import type { OpenedDevice } from "@cev/core";
import { describe, expect, test } from "vitest";
import { openStack } from "../src/index.ts";
import type { AnyDriver, StackDescription } from "../src/index.ts";
import { driverOf, environment, failureOf, memoryDriver } from "./helpers.ts";

const drivers = [memoryDriver];
const m = { driver: "memory" };

const failure = (
  description: StackDescription,
  more: { readonly drivers: readonly AnyDriver[] },
): Promise<{ code: string; line: string }> =>
  failureOf(openStack(description, { environment, source: "stack.yaml", ...more }));

describe("what a driver of others does wrong is told with device and driver:", () => {
  test("a check of options that throws", async () => {
    const options = {
      "~standard": {
        version: 1 as const,
        vendor: "x",
        validate: () => {
          throw new Error("bang");
        },
      },
    };
    const boom = { ...driverOf({ name: "boom" }), options };
    const devices = { d0: m, top: { driver: "boom", lower: "d0" } };
    expect(await failure({ devices }, { drivers: [...drivers, boom] })).toEqual({
      code: "CEV_PROGRAM",
      line: "stack.yaml: devices.top: the check of these options failed: bang",
    });
  });

  test.each([
    ["no list", undefined, "open gave no list of devices"],
    ["no device", [7], "device 0 that open gave is number, and no object"],
    ["no layer", [{ name: null }], "the layer of device 0 that open gave is missing"],
    [
      "half a layer",
      [{ name: null, layer: { submit: () => undefined, limits: {}, lowers: [] } }],
      "the layer of device 0 that open gave lacks open, close, describe, support, claims: extend LayerBase or AsyncLayer",
    ],
  ])("a driver that gives %s", async (_what, opened, message) => {
    const odd = driverOf({ name: "odd", open: () => Promise.resolve(opened as unknown as OpenedDevice[]) });
    const devices = { d0: m, top: { driver: "odd", lower: "d0" } };
    expect(await failure({ devices }, { drivers: [...drivers, odd] })).toEqual({
      code: "CEV_PROGRAM",
      line: `stack.yaml: devices.top: the driver odd failed: ${message}`,
    });
  });
});

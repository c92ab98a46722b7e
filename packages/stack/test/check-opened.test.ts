import type { OpenedDevice } from "@cev/core";
import { MemoryLayer, NoOpLayer } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { openStack } from "../src/index.ts";
import type { AnyDriver, StackDescription } from "../src/index.ts";
import { driverOf, environment, failureOf, memoryDriver, passDriver } from "./helpers.ts";

const drivers = [memoryDriver];
const m = { driver: "memory" };
const layer = new MemoryLayer(environment, { size: 65_536 });

/** Fails to open after it has claimed what it stands on. */
class StuckLayer extends NoOpLayer {
  override async open(): Promise<void> {
    await super.open();
    throw new Error("oops in open");
  }
}

const stuck = driverOf({
  name: "stuck",
  open: ({ lowers }) =>
    Promise.resolve([{ name: null, layer: new StuckLayer(lowers[0]!.layer), state: "clean", details: {} }]),
});

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
      line: "stack.yaml: devices.top: the driver boom could not check these options: bang",
    });
  });

  test.each([
    [undefined, "it gave neither a value nor issues"],
    [{}, "it gave neither a value nor issues"],
    [{ issues: "no" }, "its issues are no list"],
  ])("a check of options that gives %j", async (given, message) => {
    const options = { "~standard": { version: 1 as const, vendor: "x", validate: () => given as never } };
    const odd = { ...driverOf({ name: "odd" }), options };
    const devices = { d0: m, top: { driver: "odd", lower: "d0" } };
    expect(await failure({ devices }, { drivers: [...drivers, odd] })).toEqual({
      code: "CEV_PROGRAM",
      line: `stack.yaml: devices.top: the driver odd could not check these options: ${message}`,
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
    [
      "no state",
      [{ name: null, layer, details: {} }],
      'the state of device 0 that open gave is no text, such as "clean"',
    ],
    [
      "no details",
      [{ name: null, layer, state: "clean" }],
      "the details of device 0 that open gave are no object; there may be none in it",
    ],
    [
      "no name",
      [{ layer, state: "clean", details: {} }],
      "the name of device 0 that open gave is neither text nor null, which is for the only one",
    ],
  ])("a driver that gives %s", async (_what, opened, message) => {
    const odd = driverOf({ name: "odd", open: () => Promise.resolve(opened as unknown as OpenedDevice[]) });
    const devices = { d0: m, top: { driver: "odd", lower: "d0" } };
    expect(await failure({ devices }, { drivers: [...drivers, odd] })).toEqual({
      code: "CEV_PROGRAM",
      line: `stack.yaml: devices.top: the driver odd failed: ${message}`,
    });
  });

  describe("a layer whose open throws", () => {
    const description = {
      devices: { d0: m, top: { driver: "stuck", lower: "d0" }, pass: { driver: "pass", lower: "top" } },
    };
    const told = {
      code: "CEV_PROGRAM",
      line: "stack.yaml: devices.top: the driver stuck failed: oops in open",
    };

    test("below another device", async () => {
      expect(await failure(description, { drivers: [...drivers, passDriver, stuck] })).toEqual(told);
    });

    test.each([false, true])(
      "when its device is opened, and the stack closes all the same (live: %s)",
      async (isLive) => {
        const devices = { d0: m, top: description.devices.top };
        const stack = await openStack(
          { devices },
          { environment, source: "stack.yaml", drivers: [...drivers, stuck], isLive },
        );
        expect(await failureOf(stack.open("top"))).toEqual(told);
        await stack.close();
        expect(stack.find("d0").layer!.claims).toMatchObject({ count: 0, openCount: 0 });
      },
    );

    test("when it is put into a live stack, which goes on as it was", async () => {
      const stack = await openStack(
        { devices: { d0: m } },
        { environment, drivers: [...drivers, stuck], isLive: true },
      );
      const device = await stack.open("d0");
      const inserting = stack.live!.insert("d0", { driver: "stuck", changesContent: true });
      expect(await failureOf(inserting)).toEqual({
        code: "CEV_PROGRAM",
        line: "the driver stuck failed: oops in open",
      });
      expect((await device.read(0, 512)).length).toBe(512);
      await stack.close();
    });
  });
});

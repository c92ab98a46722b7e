import { CevError, INTERFACE_VERSION, Op, request } from "@cev/core";
import { NoOpLayer, StatisticsLayer } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { DriverRegistry, openStack } from "../src/index.ts";
import type { OpenStackOptions, StackDescription } from "../src/index.ts";
import { disk, driverOf, environment, failureOf, memoryDriver, passDriver } from "./helpers.ts";

/** Yields two children, whatever it stands on. */
const pairDriver = driverOf({
  name: "pair",
  yieldsChildren: true,
  lowers: { countMin: 1, countMax: 4 },
  open: ({ lowers }) =>
    Promise.resolve(
      ["left", "right"].map((side) => ({
        name: `whatever/${side}`,
        layer: new NoOpLayer(lowers[0]!.layer),
        state: "clean",
        details: {},
      })),
    ),
});
const drivers = new DriverRegistry([memoryDriver, passDriver, pairDriver]);
const options: OpenStackOptions = { environment, drivers, source: "stack.yaml" };
const m = { driver: "memory" };

const failure = (
  description: unknown,
  more: Partial<OpenStackOptions> = {},
): Promise<{ code: string; line: string }> =>
  failureOf(openStack(description as StackDescription, { ...options, ...more }));

describe("a stack", () => {
  test("is opened in whatever order its devices are written, and gives its description back", async () => {
    const description = {
      devices: {
        top: { driver: "pass", lower: "middle" },
        middle: { driver: "pass", lowers: ["d0"] },
        d0: m,
      },
      exports: { data: "top" },
    };
    await using stack = await openStack(description, options);
    expect(stack.devices.map((one) => one.name)).toEqual(["d0", "middle", "top"]);
    expect(stack.describe()).toEqual(description);
    const device = await stack.open("data");
    await device.write(1000, new Uint8Array([1, 2, 3]));
    expect(await device.read(1000, 3)).toEqual(new Uint8Array([1, 2, 3]));
    await using again = await openStack(stack.describe(), options);
    expect(again.devices.map((one) => one.name)).toEqual(["d0", "middle", "top"]);
  });

  test("names the devices of an entry that yields several after the entry", async () => {
    await using stack = await openStack(
      { devices: { d0: m, vg0: { driver: "pair", lower: "d0" } } },
      options,
    );
    expect(stack.devices.map((one) => one.name)).toEqual(["d0", "vg0/left", "vg0/right"]);
  });

  test("names children after what stands before the star", async () => {
    const devices = {
      d0: m,
      "d0/*": { driver: "pair", lower: "d0" },
      top: { driver: "pass", lower: "d0/right" },
    };
    await using stack = await openStack({ devices }, options);
    expect(stack.find("top").lowers.map((one) => one.name)).toEqual(["d0/right"]);
  });

  test("opened read-only is not written", async () => {
    await using stack = await openStack({ devices: { d0: m } }, { ...options, isReadOnly: true });
    const device = await stack.open("d0");
    expect((await failureOf(device.write(0, new Uint8Array(1)))).code).toBe("CEV_READ_ONLY");
  });

  test("tells a driver that one device alone is read-only", async () => {
    const seen: Record<string, boolean> = {};
    const watching = driverOf({
      name: "watching",
      open: ({ lowers, isReadOnly }) => {
        seen[lowers[0]!.name] = isReadOnly;
        return Promise.resolve([
          { name: null, layer: new NoOpLayer(lowers[0]!.layer), state: "", details: {} },
        ]);
      },
    });
    const devices = {
      a: m,
      b: m,
      aTop: { driver: "watching", lower: "a", readOnly: true },
      bTop: { driver: "watching", lower: "b" },
    };
    await (await openStack({ devices }, { ...options, drivers: [...drivers, watching] })).close();
    expect(seen).toEqual({ a: true, b: false });
  });

  test("opens only what is asked for, and what that stands on", async () => {
    const devices = {
      a: m,
      b: m,
      aTop: { driver: "pass", lower: "a" },
      bTop: { driver: "pass", lower: "b" },
    };
    await using stack = await openStack({ devices }, { ...options, only: ["aTop"] });
    expect(stack.devices.map((one) => one.name)).toEqual(["a", "aTop"]);
  });

  test("refuses a second writer on one device", async () => {
    const devices = { d0: m, one: { driver: "pass", lower: "d0" }, two: { driver: "pass", lower: "d0" } };
    await using stack = await openStack({ devices }, options);
    await stack.open("one");
    expect(await failureOf(stack.open("two"))).toMatchObject({ code: "CEV_BUSY" });
  });

  test("takes devices that are there already", async () => {
    const layers = [{ name: "d0", layer: disk("here") }];
    await using stack = await openStack(
      { devices: { top: { driver: "pass", lower: "d0" } } },
      { ...options, layers },
    );
    const device = await stack.open("top");
    expect(new TextDecoder().decode(await device.read(0, 4))).toBe("here");
  });

  test("puts a layer around each device where one is wanted", async () => {
    const around: StatisticsLayer[] = [];
    await using stack = await openStack(
      { devices: { d0: m, top: { driver: "pass", lower: "d0" } } },
      {
        ...options,
        around: (layer) => {
          const wrapped = new StatisticsLayer(layer);
          around.push(wrapped);
          return wrapped;
        },
      },
    );
    await (await stack.open("top")).read(0, 512);
    expect(around.map((one) => one.counts["read"]?.count)).toEqual([1, 1]);
  });

  test("closes everything when a device cannot be opened", async () => {
    const broken = driverOf({ name: "broken", open: () => Promise.reject(new Error("no")) });
    const layer = disk("");
    const description = {
      devices: { top: { driver: "pass", lower: "d0" }, bad: { driver: "broken", lower: "top" } },
    };
    await failureOf(
      openStack(description, { ...options, drivers: [...drivers, broken], layers: [{ name: "d0", layer }] }),
    );
    expect(layer.claims.count).toBe(0);
    expect(layer.claims.openCount).toBe(0);
  });

  test("hands each driver the keys of its own entry before the stack's", async () => {
    let seen: string[] = [];
    const lock = driverOf({
      name: "lock",
      open: ({ keySource, lowers }) => {
        seen = keySource.keys.map((key) => new TextDecoder().decode(key));
        return Promise.resolve([
          { name: null, layer: new NoOpLayer(lowers[0]!.layer), state: "", details: {} },
        ]);
      },
    });
    const keys = [new TextEncoder().encode("of the stack")];
    const entry = { driver: "lock", lower: "d0", passphrase: { file: "passphrase" }, keyFile: "key" };
    const stack = await openStack(
      { devices: { d0: m, plain: entry } },
      { ...options, drivers: [...drivers, lock], keys, directory: `${import.meta.dirname}/fixtures` },
    );
    await stack.close();
    expect(seen).toEqual(["open sesame", "key with newline\n", "of the stack"]);
  });
});

test("a driver that means to write below a read-only stack does not get through", async () => {
  const layer = disk("untouched");
  const rude = driverOf({
    name: "rude",
    open: async ({ lowers, environment: own }) => {
      await request(lowers[0]!.layer, own, Op.write, 0, 512, new Uint8Array(512));
      return [];
    },
  });
  const devices = { top: { driver: "rude", lower: "d0" } };
  const more = { drivers: [rude], layers: [{ name: "d0", layer }], isReadOnly: true };
  expect((await failure({ devices }, more)).code).toBe("CEV_READ_ONLY");
  expect(layer.log.filter((one) => one.op !== Op.read)).toEqual([]);
});

describe("what is wrong in a description is told with its place:", () => {
  test("what a driver threw that is no error of cev's", async () => {
    const boom = driverOf({ name: "boom", open: () => Promise.reject(new Error("open boom")) });
    const devices = { d0: m, top: { driver: "boom", lower: "d0" } };
    expect(await failure({ devices }, { drivers: [...drivers, boom] })).toEqual({
      code: "CEV_PROGRAM",
      line: "stack.yaml: devices.top: the driver boom failed: open boom",
    });
  });

  test("what has a place of its own, too", async () => {
    const lost = driverOf({
      name: "lost",
      lowers: { countMin: 0, countMax: 0 },
      open: () =>
        Promise.reject(new CevError("CEV_NOT_FOUND", "there is no such file", { source: "/a/b.img" })),
    });
    const devices = { d0: { driver: "lost" } };
    expect(await failure({ devices }, { drivers: [lost] })).toEqual({
      code: "CEV_NOT_FOUND",
      line: "stack.yaml: devices.d0: /a/b.img: there is no such file",
    });
    const locked = { d0: m, top: { driver: "pass", lower: "d0", keyFile: "nokey" } };
    expect((await failure({ devices: locked }, { directory: "/nonexistent" })).line).toBe(
      "stack.yaml: devices.top: /nonexistent/nokey: there is no such file",
    );
  });

  test("a device named twice", async () => {
    const devices = { d0: m, r5: { driver: "pair", members: ["d0", "d0"] } };
    expect(await failure({ devices })).toEqual({
      code: "CEV_INVALID",
      line: "stack.yaml: devices.r5.members[1]: d0 is named twice",
    });
  });

  test("a device that is not there", async () => {
    const devices = { d0: m, d1: m, r5: { driver: "pair", members: ["d0", "d9"] } };
    expect(await failure({ devices })).toEqual({
      code: "CEV_NOT_FOUND",
      line: "stack.yaml: devices.r5.members[1]: there is no device d9; there are d0, d1, r5",
    });
  });

  test("a child that the entry did not yield", async () => {
    const devices = { d0: m, vg0: { driver: "pair", lower: "d0" }, top: { driver: "pass", lower: "vg0/up" } };
    const { code, line } = await failure({ devices });
    expect(code).toBe("CEV_NOT_FOUND");
    expect(line).toBe(
      "stack.yaml: devices.top.lower: there is no device vg0/up; its entry yielded no such device",
    );
  });

  test("a name that stands for several", async () => {
    const devices = { d0: m, vg0: { driver: "pair", lower: "d0" }, top: { driver: "pass", lower: "vg0" } };
    expect((await failure({ devices })).line).toMatch(/devices\.top\.lower.*vg0\/left, vg0\/right/);
  });

  test("devices that stand on one another", async () => {
    const devices = { a: { driver: "pass", lower: "b" }, b: { driver: "pass", lower: "a" } };
    expect(await failure({ devices })).toEqual({
      code: "CEV_INVALID",
      line: "stack.yaml: devices.b.lower: these stand on one another: a on b on a",
    });
  });

  test("an export of nothing", async () => {
    expect((await failure({ devices: { d0: m }, exports: { x: "d1" } })).line).toMatch(
      /^stack\.yaml: exports\.x: there is no device d1/,
    );
  });

  test("an export under the name of another device", async () => {
    expect(await failure({ devices: { d0: m, d1: m }, exports: { d0: "d1" } })).toMatchObject({
      code: "CEV_AMBIGUOUS",
      line: "stack.yaml: exports.d0: another device has the name d0; give the export another name",
    });
  });

  test("a driver that nobody knows", async () => {
    const { code, line } = await failure({ devices: { d0: { driver: "no-such-driver" } } });
    expect(code).toBe("CEV_NOT_FOUND");
    expect(line).toMatch(
      /^stack\.yaml: devices\.d0: there is no driver no-such-driver.*known are memory, pass, pair/,
    );
  });

  test("an option that the driver's schema refuses", async () => {
    const strict = driverOf({
      name: "strict",
      lowers: { countMin: 0, countMax: 0 },
      options: {
        "~standard": {
          version: 1,
          vendor: "test",
          validate: () => ({ issues: [{ message: "must be a number", path: ["size", { key: 2 }] }] }),
        },
      },
    });
    const { code, line } = await failure(
      { devices: { d0: { driver: "strict", size: "big" } } },
      { drivers: [strict] },
    );
    expect(code).toBe("CEV_INVALID");
    expect(line).toBe("stack.yaml: devices.d0.size[2]: must be a number");
  });

  test("too few devices below", async () => {
    expect((await failure({ devices: { top: { driver: "pass" } } })).line).toMatch(
      /devices\.top: pass stands on 1 device, and top names 0/,
    );
  });

  test("two ways of naming what is below", async () => {
    const devices = { d0: m, top: { driver: "pass", lower: "d0", lowers: ["d0"] } };
    expect((await failure({ devices })).line).toMatch(/devices\.top\.lowers: lower is there as well/);
  });

  test.each([
    [{}, "stack.yaml: devices: is missing"],
    [{ devices: { d0: {} } }, "stack.yaml: devices.d0.driver: is missing"],
    [{ devices: { d0: { driver: 5 } } }, "stack.yaml: devices.d0.driver: must be text"],
    [{ devices: { d0: null } }, "stack.yaml: devices.d0: must be a mapping"],
    [{ devices: [] }, "stack.yaml: devices: must be a mapping from names to devices"],
    [{ devices: {}, export: {} }, "stack.yaml: export: is not known here; a stack has devices and exports"],
    [
      { devices: { r: { driver: "pair", members: "d0" } } },
      "stack.yaml: devices.r.members: must be a list of device names",
    ],
    [{ devices: { r: { driver: "pass", lower: ["d0"] } } }, "stack.yaml: devices.r.lower: must be text"],
    ["text", "stack.yaml: the stack: must be a mapping"],
  ])("%j", async (description, line) => {
    expect(await failure(description)).toEqual({ code: "CEV_INVALID", line });
  });
});

describe("drivers", () => {
  test("written for another version of the interface are refused in words", () => {
    const future = driverOf({ name: "future", interfaceVersion: INTERFACE_VERSION + 1 });
    expect(() => new DriverRegistry([future])).toThrow(
      /future was written for version 2.*only version 1 is known/,
    );
  });

  test("of one name are refused", () => {
    expect(() => drivers.with(driverOf({ name: "pass" }))).toThrow(/two drivers are named pass/);
  });

  test("are kept in their order", () => {
    expect(drivers.with(driverOf({ name: "last" })).names).toEqual(["memory", "pass", "pair", "last"]);
  });
});

describe("a device is found", () => {
  test("by no name of anything: what is there is told", async () => {
    await using stack = await openStack({ devices: { d0: m, d1: m } }, options);
    expect(() => stack.find("d2")).toThrow(/there is no device d2/);
    expect(await failureOf(stack.open("d2"))).toEqual({
      code: "CEV_NOT_FOUND",
      line: "there is no device d2; there are d0, d1",
    });
  });

  test("as the child it would be, also when it is the only one", async () => {
    const single = driverOf({
      name: "single",
      open: ({ lowers }) =>
        Promise.resolve([
          { name: "vg0/root", layer: new NoOpLayer(lowers[0]!.layer), state: "", details: {} },
        ]),
    });
    const devices = {
      d0: m,
      data: { driver: "single", lower: "d0" },
      top: { driver: "pass", lower: "data/root" },
    };
    await using stack = await openStack({ devices }, { ...options, drivers: [...drivers, single] });
    expect(stack.find("data/root").name).toBe("data");
  });
});

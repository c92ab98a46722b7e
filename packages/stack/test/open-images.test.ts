import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CevError } from "@cev/core";
import type { Layer } from "@cev/core";
import { MemoryLayer } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { DriverRegistry, openImages, openStack } from "../src/index.ts";
import type { AnyDriver, OpenImagesOptions, Stack } from "../src/index.ts";
import {
  disk,
  driverOf,
  environment,
  failureOf,
  formatDriver,
  matching,
  nameOn,
  put,
  tailOf,
  temporaryFolder,
} from "./helpers.ts";

const fileDriver = driverOf({
  name: "file",
  lowers: { countMin: 0, countMax: 0 },
  open: ({ options }) => {
    const { path } = options as { path: string };
    if (path.includes("missing")) throw new CevError("CEV_NOT_FOUND", "there is no such file");
    return Promise.resolve([
      { name: null, layer: disk(path.split("/").at(-1)!), state: "clean", details: { path } },
    ]);
  },
});
const box = formatDriver("box");
const array = formatDriver("array");
const lock = formatDriver("lock", {
  open: async (context) => {
    if (context.keySource.keys.length === 0) throw new CevError("CEV_KEY_REQUIRED", "it is locked");
    if (context.keySource.keys[0]![0] !== 1) throw new CevError("CEV_WRONG_KEY", "no key fits");
    return [
      {
        name: `luks/${await nameOn(context)}`,
        layer: tailOf(context.lowers[0]!.layer),
        state: "open",
        details: {},
      },
    ];
  },
});
const group = formatDriver("group", {
  yieldsChildren: true,
  open: async (context) => {
    const name = await nameOn(context);
    return ["a", "b"].map((volume) => ({
      name: `${name}/${volume}`,
      layer: tailOf(context.lowers[0]!.layer),
      state: "clean",
      details: {},
    }));
  },
});
const drivers = new DriverRegistry([fileDriver, array, lock, group, box]);

function open(
  layers: Readonly<Record<string, Layer>>,
  more: Partial<OpenImagesOptions> = {},
): Promise<Stack> {
  const sources = Object.entries(layers).map(([name, layer]) => ({ name, layer }));
  return openImages(sources, { environment, drivers, ...more });
}

const shape = (stack: Stack): Record<string, string[]> =>
  Object.fromEntries(stack.devices.map((one) => [one.name, one.lowers.map((lower) => lower.name)]));

describe("unknown images", () => {
  test("are looked at until nothing new is found", async () => {
    const first = put(put(disk("box:-:one"), 512, "lock:-:two"), 1024, "group:g:vg");
    await using stack = await open({ d0: first }, { keys: [new Uint8Array([1])] });
    expect(shape(stack)).toEqual({
      d0: [],
      one: ["d0"],
      "luks/two": ["one"],
      "vg/a": ["luks/two"],
      "vg/b": ["luks/two"],
    });
    expect(stack.problems).toEqual([]);
    expect(stack.uppermost.map((one) => one.name)).toEqual(["vg/a", "vg/b"]);
  });

  test("that belong together are opened together, whatever they are found behind", async () => {
    await using stack = await open({
      d0: disk("array:g:md"),
      d1: put(disk("box:-:wrapped"), 512, "array:g:md"),
      d2: put(put(disk("array:h:inner"), 512, "box:-:deep"), 1024, "array:g:md"),
    });
    expect(shape(stack)["md"]?.toSorted()).toEqual(["d0", "deep", "wrapped"]);
    expect(stack.find("md").details).toEqual({ count: 3 });
    expect(stack.devices.filter((one) => one.name === "md")).toHaveLength(1);
  });

  test("of one group by the word of one member are opened together", async () => {
    const told = formatDriver("told", {
      probe: async (device) => {
        const text = new TextDecoder().decode(await device.read(0, 8));
        if (!text.startsWith("told:")) return null;
        return text[5] === "x"
          ? { summary: "knows all", group: "x", members: ["y"], details: {} }
          : { summary: "knows itself", group: "y", details: {} };
      },
    });
    await using stack = await open({ d0: disk("told:y:name"), d1: disk("told:x:name") }, { drivers: [told] });
    expect(shape(stack)["name"]).toEqual(["d0", "d1"]);
  });

  test("that hold a copy of the group they belong to are opened, too, and told apart", async () => {
    await using stack = await open({
      d0: put(disk("array:g:md"), 512, "array:g:md"),
      d1: disk("array:g:md"),
    });
    expect(shape(stack)).toEqual({ d0: [], d1: [], "md@d0": ["d0", "d1"], "md@md@d0": ["md@d0"] });
    expect(stack.problems.map((one) => one.code)).toContain("CEV_AMBIGUOUS");
  });

  test("can be described, and opened again from the description", async () => {
    const folder = temporaryFolder();
    for (const name of ["box:-:a", "lock:-:b"]) writeFileSync(join(folder, name), "");
    const paths = ["box:-:a", "lock:-:b"].map((name) => join(folder, name));
    const keys = [new Uint8Array([1])];
    await using stack = await openImages(paths, { environment, drivers, keys, imageDriver: "file" });
    await using again = await openStack(stack.describe(), { environment, drivers, keys });
    expect(shape(again)).toEqual(shape(stack));
    expect(shape(stack)).toEqual({ "box:-:a": [], "lock:-:b": [], a: ["box:-:a"], "luks/b": ["lock:-:b"] });
  });

  test("with nothing in them but locks are listed, also for writing", async () => {
    await using stack = await open({ d0: disk("lock:-:a") }, { isReadOnly: false });
    expect(stack.uppermost).toEqual([]);
    expect(stack.devices.map(({ name, state }) => [name, state])).toEqual([
      ["d0", "given"],
      ["luks/a", "locked"],
    ]);
  });

  test("are opened for writing only as far as is asked, and only after all was looked at", async () => {
    const opens: [string, boolean][] = [];
    const watch = (driver: AnyDriver): AnyDriver => ({
      ...driver,
      open: (context) => {
        opens.push([context.lowers[0]!.name, context.isReadOnly]);
        return driver.open(context);
      },
    });
    const layers = {
      d0: disk("box:-:one"),
      d1: disk("box:-:two"),
      d2: put(disk("box:-:three"), 512, "box:-:four"),
    };
    await using stack = await open(layers, {
      drivers: [watch(box)],
      isReadOnly: false,
      only: ["one", "four"],
    });
    expect(opens).toEqual([
      ["d0", true],
      ["d1", true],
      ["d2", true],
      ["three", true],
      ["d0", false],
      ["d2", false],
      ["three", false],
    ]);
    const device = await stack.open("four");
    await device.write(0, new Uint8Array([7]));
    expect(layers.d2.bytes[1024]).toBe(7);
    expect(layers.d1.log.filter((one) => one.op !== 0)).toEqual([]);
  });

  test("are not written while they are looked at", async () => {
    const layer = put(disk("box:-:one"), 512, "group:g:vg");
    await (await open({ d0: layer })).close();
    expect(new Set(layer.log.map((one) => one.op))).toEqual(new Set([0]));
    expect(layer.claims.openCount).toBe(0);
  });
});

describe("problems do not stop the rest:", () => {
  test("a broken head", async () => {
    await using stack = await open({ d0: disk("box:broken:"), d1: disk("box:-:fine") });
    expect(shape(stack)).toEqual({ d0: [], d1: [], fine: ["d1"] });
    expect(stack.problems).toEqual([
      {
        severity: "error",
        code: "CEV_BAD_METADATA",
        message: "d0, box head, at byte 0: its head is broken",
        device: "d0",
      },
    ]);
  });

  test("but what was to be written and is not there is told together with them", async () => {
    const layers = { d0: disk("box:broken:"), d1: disk("box:-:fine") };
    const { code, line } = await failureOf(open(layers, { isReadOnly: false, only: ["gone"] }));
    expect(code).toBe("CEV_NOT_FOUND");
    expect(line).toBe(
      "there is no device gone; there are d0, d1, fine; d0, box head, at byte 0: its head is broken",
    );
  });

  test("a broken head that another driver understands is a warning", async () => {
    const other = driverOf({
      name: "other",
      probe: () => Promise.resolve({ summary: "other", group: null, details: {} }),
    });
    await using stack = await open({ d0: disk("box:broken:") }, { drivers: [box, other], depthMax: 1 });
    expect(stack.problems[0]).toMatchObject({ severity: "warning", code: "CEV_BAD_METADATA" });
    expect(shape(stack)).toMatchObject({ "d0/other": ["d0"] });
  });

  test("a lock without a key is listed as locked", async () => {
    await using stack = await open({ d0: disk("lock:-:uuid"), d1: disk("box:-:fine") });
    expect(stack.find("luks/uuid")).toMatchObject({ state: "locked", layer: null });
    expect(stack.problems).toMatchObject([{ severity: "warning", code: "CEV_KEY_REQUIRED", device: "d0" }]);
    expect(await failureOf(stack.open("luks/uuid"))).toEqual({
      code: "CEV_KEY_REQUIRED",
      line: "d0: luks/uuid is locked; give a passphrase or a key file",
    });
  });

  test("a lock that no key fits is an error", async () => {
    await using stack = await open({ d0: disk("lock:-:uuid") }, { keys: [new Uint8Array([2])] });
    expect(stack.problems).toMatchObject([{ severity: "error", code: "CEV_WRONG_KEY", device: "d0" }]);
    expect(stack.find("luks/uuid").state).toBe("locked");
  });

  test("a disk that cannot be read", async () => {
    const bad = new MemoryLayer(environment, { size: 65_536, support: { read: "none" } });
    await using stack = await open({ d0: bad, d1: disk("box:-:fine") });
    expect(stack.problems).toMatchObject([{ severity: "error", device: "d0" }]);
    expect(shape(stack)).toMatchObject({ fine: ["d1"] });
  });

  test("a driver that throws something of its own", async () => {
    const wild = driverOf({ name: "wild", probe: () => Promise.reject(new TypeError("x is\nundefined")) });
    await using stack = await open({ d0: disk("box:-:fine") }, { drivers: [wild, box] });
    expect(stack.problems).toMatchObject([
      { severity: "warning", code: "CEV_PROGRAM", message: "d0: x is undefined" },
      { severity: "error", code: "CEV_PROGRAM", message: "fine: x is undefined" },
    ]);
  });

  test("an image in which nothing is known", async () => {
    await using stack = await open({ d0: disk("?"), d1: disk("box:-:fine") });
    expect(stack.problems).toMatchObject([{ severity: "error", code: "CEV_NOT_FOUND", device: "d0" }]);
  });

  test("layers upon layers without end", async () => {
    const endless = driverOf({
      name: "endless",
      probe: () => Promise.resolve({ summary: "", group: null, details: {} }),
    });
    await using stack = await open({ d0: disk("") }, { drivers: [endless] });
    expect(stack.devices).toHaveLength(17);
    expect(stack.problems).toMatchObject([{ code: "CEV_INVALID", severity: "error" }]);
  });

  test("devices without end", async () => {
    const many = driverOf({
      name: "many",
      yieldsChildren: true,
      lowers: { countMin: 1, countMax: 2 },
      probe: () => Promise.resolve({ summary: "", group: null, details: {} }),
      open: ({ lowers }) =>
        Promise.resolve(
          Array.from({ length: 8 }, (_, index) => ({
            name: `${lowers[0]!.name}/${index}`,
            layer: tailOf(lowers[0]!.layer),
            state: "",
            details: {},
          })),
        ),
    });
    await using stack = await open({ d0: disk("") }, { drivers: [many], devicesMax: 100 });
    expect(stack.devices.length).toBeLessThan(110);
    expect(new Set(stack.problems.map((one) => one.code))).toEqual(new Set(["CEV_INVALID"]));
  });
});

describe("names", () => {
  test("of two different things are told apart by what they stand on, and none gets the plain one", async () => {
    await using stack = await open({
      d0: disk("box:-:same"),
      d1: disk("box:-:same"),
      d2: disk("box:-:other"),
    });
    expect(shape(stack)).toEqual({
      d0: [],
      d1: [],
      d2: [],
      "same@d0": ["d0"],
      "same@d1": ["d1"],
      other: ["d2"],
    });
    expect(stack.problems).toMatchObject([
      {
        severity: "error",
        code: "CEV_AMBIGUOUS",
        message: matching(/same@d0 \(on d0\) and same@d1 \(on d1\)/),
      },
    ]);
    const { code, line } = await failureOf(stack.open("same"));
    expect(code).toBe("CEV_AMBIGUOUS");
    expect(line).toContain("same@d0, same@d1");
    expect(stack.find("other@d2").name).toBe("other");
  });

  test("of children: the group is told apart", async () => {
    await using stack = await open({ d0: disk("group:one:vg"), d1: disk("group:two:vg") });
    expect(Object.keys(shape(stack))).toEqual(["d0", "d1", "vg@d0/a", "vg@d0/b", "vg@d1/a", "vg@d1/b"]);
    await using again = await openStack(stack.describe(), {
      environment,
      drivers,
      layers: ["d0", "d1"].map((name) => ({ name, layer: disk("group:x:vg") })),
    });
    expect(Object.keys(shape(again))).toEqual(Object.keys(shape(stack)));
  });

  test("of a thing inside a clone begin with the clone's", async () => {
    const clone = (): MemoryLayer => put(disk("box:-:same"), 512, "lock:-:in");
    await using stack = await open({ d0: clone(), d1: clone() });
    expect(Object.keys(shape(stack))).toEqual([
      "d0",
      "d1",
      "same@d0",
      "same@d1",
      "luks/in@same@d0",
      "luks/in@same@d1",
    ]);
  });

  test("of images with one file name have a folder in front", async () => {
    const folder = temporaryFolder();
    for (const name of ["a", "b"]) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, "box:-:x"), "");
    }
    writeFileSync(join(folder, "box:-:y"), "");
    const paths = ["a/box:-:x", "b/box:-:x", "box:-:y"];
    await using stack = await openImages(paths, {
      environment,
      drivers,
      imageDriver: "file",
      directory: folder,
    });
    expect(stack.devices.filter((one) => one.lowers.length === 0).map((one) => one.name)).toEqual(paths);
  });

  test("of one image given twice are refused", async () => {
    const path = join(temporaryFolder(), "d0.img");
    writeFileSync(path, "");
    const twice = openImages([path, path], { environment, drivers, imageDriver: "file" });
    expect(await failureOf(twice)).toMatchObject({
      code: "CEV_AMBIGUOUS",
      line: matching(/d0\.img/),
    });
  });

  test("of an image that is not there are in the error", async () => {
    const gone = openImages(["/missing/d0.img"], { environment, drivers, imageDriver: "file" });
    expect(await failureOf(gone)).toEqual({
      code: "CEV_NOT_FOUND",
      line: "/missing/d0.img: there is no such file; check the path",
    });
  });
});

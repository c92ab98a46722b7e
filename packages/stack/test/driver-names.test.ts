import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { DriverRegistry, openStack } from "../src/index.ts";
import type { LaterDriver } from "../src/index.ts";
import { driverOf, environment, failureOf, memoryDriver, passDriver, temporaryFolder } from "./helpers.ts";

const sourceOf = (...names: string[]): string =>
  names
    .map(
      (name, index) => `export const driver${index} = {
  name: "${name}", interfaceVersion: 1, summary: "",
  options: { "~standard": { version: 1, vendor: "x", validate: (value) => ({ value }) } },
  lowers: { countMin: 1, countMax: 1 },
  open: async ({ lowers: [{ layer }] }) => [{ name: null, layer, state: "${name}", details: {} }],
};`,
    )
    .join("\n");

/** A folder with a package of these exports and files. */
function folderWith(exports: unknown, files: Readonly<Record<string, string>>): string {
  const folder = temporaryFolder();
  const all = {
    "package.json": JSON.stringify({ name: "@me/x", version: "1.0.0", type: "module", exports }),
    ...files,
  };
  for (const [name, text] of Object.entries(all)) {
    const path = join(folder, "node_modules/@me/x", name);
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, text);
  }
  return folder;
}

/** The state says which driver was found. */
async function found(driver: string, directory: string): Promise<string> {
  await using stack = await openStack(
    { devices: { d0: { driver: "memory" }, top: { driver, lower: "d0" } } },
    { environment, drivers: [memoryDriver], directory },
  );
  return stack.find("top").state;
}

describe("a driver of a package that has several is named package/name", () => {
  test.each([
    ["a subpath of its own", { "./fast": "./fast.js" }],
    ["a subpath for import alone", { "./fast": { import: { types: "./fast.d.ts", default: "./fast.js" } } }],
    ["a pattern of subpaths", { ".": "./i.js", "./*": { import: "./*.js" } }],
    ["the longest pattern that fits", { "./*": { import: "./no/*.js" }, "./fa*": { import: "./fa*.js" } }],
  ])("by %s", async (_how, exports) => {
    const folder = folderWith(exports, { "fast.js": sourceOf("theirs"), "i.js": sourceOf("@me/x") });
    expect(await found("@me/x/fast", folder)).toBe("theirs");
  });

  test("by its name among all that the package exports", async () => {
    const folder = folderWith("./i.js", { "i.js": sourceOf("@me/x/fast", "@me/x/slow") });
    expect(await found("@me/x/fast", folder)).toBe("@me/x/fast");
    expect(await found("@me/x/slow", folder)).toBe("@me/x/slow");
  });

  test.each([
    ["exports of one file", "./dist/index.js"],
    ["exports for import alone", { ".": { import: "./dist/index.js" } }],
    ["no exports, and the file that is meant then", undefined],
  ])("a package whose file is not there is asked whether it is built: %s", async (_how, exports) => {
    const folder = folderWith(exports, {});
    const hint: unknown = expect.stringMatching(/is @me\/x built/);
    const place: Record<string, unknown> = {
      message: expect.stringMatching(/there is no driver file .*@me\/x\/(dist\/)?index.js/),
      place: { hint },
    };
    await expect(found("@me/x", folder)).rejects.toMatchObject(place);
    // From within the package, where authors try it first.
    await expect(found("@me/x", join(folder, "node_modules/@me/x"))).rejects.toMatchObject(place);
  });

  test("a package is found by its own name from within", async () => {
    const folder = folderWith({ ".": { import: "./i.js" } }, { "i.js": sourceOf("theirs") });
    expect(await found("@me/x", join(folder, "node_modules/@me/x"))).toBe("theirs");
  });

  test.each([
    [
      "a name that none of them has",
      "@me/x/slow",
      sourceOf("@me/x"),
      /CEV_NOT_FOUND.*@me\/x\/slow: its package has @me\/x/,
    ],
    [
      "the package's name, where none has it",
      "@me/x",
      sourceOf("@me/x/a", "@me/x/b"),
      /CEV_AMBIGUOUS.*several drivers \(@me\/x\/a, @me\/x\/b\)/,
    ],
    ["a package that has none", "@me/x/a", "export const a = 1;", /CEV_NOT_FOUND.*exports no driver/],
    [
      "a package that is not there",
      "@me/y/a",
      sourceOf("@me/x"),
      /CEV_NOT_FOUND.*nor a package of that name.*known are memory/,
    ],
  ])("%s is refused", async (_what, name, source, words) => {
    const { code, line } = await failureOf(found(name, folderWith("./i.js", { "i.js": source })));
    expect(`${code} ${line}`).toMatch(words);
  });

  test.each(["../../secret", "a/../../../secret"])("%s leads out of a package to nothing", async (path) => {
    const folder = folderWith({ "./*": { import: "./*.js" } }, {});
    writeFileSync(join(folder, "node_modules/secret.js"), sourceOf("secret"));
    expect((await failureOf(found(`@me/x/${path}`, folder))).code).toBe("CEV_NOT_FOUND");
  });
});

describe("drivers that are loaded later", () => {
  function later(name = "late"): { readonly driver: LaterDriver; readonly count: () => number } {
    let loads = 0;
    const load = (): Promise<ReturnType<typeof driverOf>> => {
      loads++;
      return Promise.resolve(driverOf({ ...passDriver, name }));
    };
    return { driver: { name, load }, count: () => loads };
  }

  test("are known by name, and loaded when a stack names them", async () => {
    const { driver, count } = later();
    const drivers = new DriverRegistry([memoryDriver], [driver]);
    expect([...drivers].map(({ name }) => name)).toEqual(["memory"]);
    expect(drivers.names).toEqual(["memory", "late"]);
    await using plain = await openStack({ devices: { d0: { driver: "memory" } } }, { environment, drivers });
    expect(plain.devices).toHaveLength(1);
    expect(count()).toBe(0);
    await using stack = await openStack(
      { devices: { d0: { driver: "memory" }, top: { driver: "late", lower: "d0" } } },
      { environment, drivers: drivers.with(passDriver) },
    );
    expect(stack.find("top").driver).toBe("late");
    expect(count()).toBe(1);
  });

  test("give way to one of their name that is there", async () => {
    const { driver, count } = later("pass");
    const drivers = new DriverRegistry([passDriver], [driver]);
    expect(drivers.names).toEqual(["pass"]);
    expect(await drivers.find("pass")).toBe(passDriver);
    expect(count()).toBe(0);
  });

  test("are checked when they come", async () => {
    const old: LaterDriver = {
      name: "old",
      load: () => Promise.resolve(driverOf({ name: "old", interfaceVersion: 0 })),
    };
    const { code } = await failureOf(new DriverRegistry([], [old]).find("old"));
    expect(code).toBe("CEV_NOT_SUPPORTED");
  });
});

test.each([
  [
    "with a package",
    { exports: { ".": { import: "./dist/i.js" } } },
    "name the file of the driver in it: ./mine/dist/i.js",
  ],
  ["with a main file", { main: "lib.js" }, "name the file of the driver in it: ./mine/lib.js"],
  ["with files alone", null, "name the file of the driver in it, such as ./mine/index.js"],
])("a path that leads to a folder %s is no driver: the file is named", async (_what, manifest, hint) => {
  const directory = temporaryFolder();
  mkdirSync(join(directory, "mine"));
  if (manifest !== null) writeFileSync(join(directory, "mine/package.json"), JSON.stringify(manifest));
  for (const driver of ["./mine", "./mine/"])
    expect(await failureOf(found(driver, directory))).toEqual({
      code: "CEV_INVALID",
      line: `stack: devices.top: the driver ${driver} is a folder; ${hint}`,
    });
});

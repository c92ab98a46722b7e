import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { isStackFilePath, openStackFile, readStackFile, stackSchema } from "../src/index.ts";
import { driverOf, environment, failureOf, memoryDriver, passDriver, temporaryFolder } from "./helpers.ts";

const options = { environment, drivers: [memoryDriver, passDriver] };
const TEXT = `
devices:
  d0: { driver: memory }
  top: { driver: pass, lower: d0 }
exports:
  data: top
`;

function write(name: string, text: string): string {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, text);
  return path;
}

describe("a stack file", () => {
  test("in YAML and in JSON says the same", async () => {
    const yaml = await readStackFile(write("stack.yaml", TEXT));
    const json = await readStackFile(write("stack.json", JSON.stringify(yaml.description, null, "\t")));
    expect(json.description).toEqual(yaml.description);
    await using stack = await openStackFile(write("stack.yml", TEXT), options);
    expect(stack.describe()).toEqual(yaml.description);
    expect([...stack.exports]).toEqual([["data", "top"]]);
  });

  test("is told by its ending", () => {
    expect(["a.yaml", "a.yml", "b/a.JSON", "a.img", "yaml"].map(isStackFilePath)).toEqual([
      true,
      true,
      true,
      false,
      false,
    ]);
  });

  test("that is not there", async () => {
    const path = join(temporaryFolder(), "none.yaml");
    expect(await failureOf(readStackFile(path))).toEqual({
      code: "CEV_NOT_FOUND",
      line: `${path}: there is no such file`,
    });
  });

  test("with broken YAML is refused with the line", async () => {
    const { code, line } = await failureOf(
      readStackFile(write("stack.yaml", "devices:\n  d0: { driver: memory\n")),
    );
    expect(code).toBe("CEV_INVALID");
    expect(line).toMatch(/^stack\.yaml, line 3, column 1: /);
  });

  test("may merge what several devices have in common", async () => {
    const text = "devices:\n  d0: &disk { driver: memory, size: 4096 }\n  d1: { <<: *disk, size: 8192 }\n";
    const { description } = await readStackFile(write("stack.yaml", text));
    expect(description.devices).toEqual({
      d0: { driver: "memory", size: 4096 },
      d1: { driver: "memory", size: 8192 },
    });
  });

  test("with a second document is refused in words", async () => {
    const { line } = await failureOf(readStackFile(write("stack.yaml", "devices: {}\n---\ndevices: {}\n")));
    expect(line).toBe("stack.yaml, line 2, column 1: a second document begins here; a stack file is one");
  });

  test("in which thousands stand on one another is refused before the first is opened", async () => {
    const devices = Object.fromEntries(
      Array.from({ length: 20_000 }, (_, index) => [`d${index}`, { driver: "pass", lower: `d${index + 1}` }]),
    );
    const path = write(
      "stack.json",
      JSON.stringify({ devices: { ...devices, d20000: { driver: "memory" } } }),
    );
    const { code, line } = await failureOf(openStackFile(path, options));
    expect({ code, line }).toEqual({
      code: "CEV_INVALID",
      line: "stack.json: devices.d511.lower: more than 512 devices stand on one another",
    });
  });

  test("with broken JSON is refused", async () => {
    expect((await failureOf(readStackFile(write("stack.json", "{")))).line).toMatch(
      /^stack\.json: this is not JSON/,
    );
  });

  test("with one key twice is refused", async () => {
    const text = "devices:\n  d0: { driver: memory }\n  d0: { driver: memory }\n";
    expect((await failureOf(readStackFile(write("stack.yaml", text)))).line).toMatch(/line 3.*unique/);
  });

  test.each(["__proto__", "constructor", "prototype"])(
    "with a device or export %s is refused",
    async (name) => {
      const devices = `devices:\n  d0: { driver: memory }\n`;
      const refusal = (path: string): { code: string; line: string } => ({
        code: "CEV_INVALID",
        line: `stack.yaml: ${path}.${name}: this name cannot be used; choose another name`,
      });
      const device = write("stack.yaml", `${devices}  ${name}: { driver: memory }\n`);
      expect(await failureOf(readStackFile(device))).toEqual(refusal("devices"));
      const exported = write("stack.yaml", `${devices}exports:\n  ${name}: d0\n`);
      expect(await failureOf(readStackFile(exported))).toEqual(refusal("exports"));
    },
  );

  test("that would grow without end is refused", async () => {
    const levels = Array.from(
      { length: 9 },
      (_, level) =>
        `x${level + 1}: &x${level + 1} [${Array.from({ length: 9 }, () => `*x${level}`).join(", ")}]`,
    );
    const text = ["x0: &x0 [1]", ...levels, "devices: {}"].join("\n");
    expect((await failureOf(readStackFile(write("stack.yaml", text)))).code).toBe("CEV_INVALID");
  });
});

test("the schema for editors has a branch for each driver, with its options", () => {
  const sized = driverOf({
    name: "sized",
    lowers: { countMin: 0, countMax: 0 },
    optionsSchema: { type: "object", required: ["size"], properties: { size: { type: "integer" } } },
  });
  const { $defs, required } = stackSchema([sized, passDriver]) as {
    required: string[];
    $defs: { device: { allOf: { if: object; then: { required: string[]; properties: object } }[] } };
  };
  expect(required).toEqual(["devices"]);
  const [first, second] = $defs.device.allOf;
  expect(first?.if).toEqual({ properties: { driver: { const: "sized" } } });
  expect(first?.then.required).toEqual(["driver", "size"]);
  expect(Object.keys(first!.then.properties)).toEqual(["driver", "readOnly", "size"]);
  expect(Object.keys(second!.then.properties)).toContain("lower");
});

test("the schema for editors wants the devices below where the driver has to have some, under one of their names", () => {
  const two = driverOf({ name: "two", lowers: { countMin: 2, countMax: 9 } });
  const free = driverOf({ name: "free", lowers: { countMin: 0, countMax: 1 } });
  const { $defs } = stackSchema([memoryDriver, passDriver, two, free]) as {
    $defs: { device: { allOf: { then: { anyOf?: { required: string[] }[] } }[] } };
  };
  const names = $defs.device.allOf.map(({ then }) => then.anyOf?.flatMap(({ required }) => required));
  const several = ["lowers", "members"];
  expect(names).toEqual([undefined, ["lower", ...several], several, undefined]);
});

describe("a driver by somebody else", () => {
  const SOURCE = `export const driver = {
    name: "theirs", interfaceVersion: 1, summary: "", optionsSchema: {},
    options: { "~standard": { version: 1, vendor: "x", validate: (value) => ({ value }) } },
    lowers: { countMin: 1, countMax: 1 },
    open: async ({ lowers: [{ layer }] }) => [{ name: null, layer, state: "theirs", details: {} }],
  };`;

  function project(driver: string, files: Readonly<Record<string, string>>): string {
    const folder = temporaryFolder();
    for (const [name, text] of Object.entries(files)) {
      const path = join(folder, name);
      mkdirSync(join(path, ".."), { recursive: true });
      writeFileSync(path, text);
    }
    const path = join(folder, "stack.yaml");
    writeFileSync(path, TEXT.replace("driver: pass", `driver: "${driver}"`));
    return path;
  }

  const manifest = (exports: unknown): string =>
    JSON.stringify({ name: "x", version: "1.0.0", type: "module", exports });

  test.each([
    ["by a relative path", "./mine.mjs", { "mine.mjs": SOURCE }],
    [
      "by a package name",
      "x",
      { "node_modules/x/package.json": manifest("./i.js"), "node_modules/x/i.js": SOURCE },
    ],
    [
      "in a package for import alone",
      "x",
      {
        "node_modules/x/package.json": manifest({ ".": { import: "./i.js" } }),
        "node_modules/x/i.js": SOURCE,
      },
    ],
    [
      "in a package with a scope",
      "@a/x",
      { "node_modules/@a/x/package.json": manifest("./i.js"), "node_modules/@a/x/i.js": SOURCE },
    ],
  ])("is found %s, seen from the stack file", async (_how, driver, files) => {
    await using stack = await openStackFile(project(driver, files), options);
    expect(stack.find("top").state).toBe("theirs");
  });

  test.each([
    [
      "of another interface version",
      "./m.mjs",
      { "m.mjs": SOURCE.replace("Version: 1", "Version: 7") },
      /theirs was written for version 7/,
    ],
    ["that is no driver", "./m.mjs", { "m.mjs": "export const x = 1;" }, /exports no driver/],
    ["that does not load", "./m.mjs", { "m.mjs": "throw new Error('oh');" }, /cannot be loaded: oh/],
    ["that is not there", "./m.mjs", {}, /devices\.\w+: there is no driver file \/.*\/m\.mjs$/],
    [
      "that is not installed",
      "nowhere-to-be-found",
      {},
      /there is no driver nowhere-to-be-found, nor a package/,
    ],
  ])("%s is refused, with the place", async (_what, driver, files, words) => {
    const { line } = await failureOf(openStackFile(project(driver, files), options));
    expect(line).toMatch(/^stack\.yaml: devices\.top: /);
    expect(line).toMatch(words);
    expect(line).not.toContain("\n");
  });
});

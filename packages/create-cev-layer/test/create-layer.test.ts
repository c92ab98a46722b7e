import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Refusal, STYLES, createLayer, versionsOf } from "../src/index.ts";

const versions = { core: "^1.2.3", testKit: "^2.3.4", cli: "^3.4.5" };

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "cev-create-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const textOf = (path: string): string => readFileSync(join(folder, path), "utf8");

describe.each(STYLES)("a layer in the style of %s", (style) => {
  test("is a package of the name and the versions that were given, with nothing left to fill in", async () => {
    const files = await createLayer({ folder, name: "@me/cev-two-words", style, versions });
    expect(JSON.parse(textOf("package.json"))).toMatchObject({
      name: "@me/cev-two-words",
      // Or else npm would publish a name with a scope for its owner alone.
      publishConfig: { access: "public" },
      peerDependencies: { "@cev/core": "^1.2.3" },
      devDependencies: { "@cev/cli": "^3.4.5", "@cev/core": "^1.2.3", "@cev/test-kit": "^2.3.4" },
    });
    expect(textOf("src/layer.ts")).toContain("export class TwoWordsLayer extends ");
    expect(textOf("src/driver.ts")).toContain('name: "@me/cev-two-words"');
    for (const file of files) expect(textOf(file)).not.toMatch(/__[A-Z_]+__|workspace:/);
  });

  test("has the files that it lists, and no others", async () => {
    const files = await createLayer({ folder, name: "x", style, versions });
    const found = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
    expect(files).toEqual(found.sort());
    expect(files).toEqual(
      [
        ".gitignore",
        "LICENSE",
        "README.md",
        "package.json",
        "src/driver.ts",
        "src/index.ts",
        "src/layer.ts",
        "src/options.ts",
        "stack.yaml",
        "test/conformance.test.ts",
        "test/options.test.ts",
        "tsconfig.json",
      ].sort(),
    );
  });
});

describe("the folder", () => {
  test("is made, with those above it, and gives the package its name", async () => {
    await createLayer({ folder: join(folder, "a/b/my-layer"), versions });
    expect(textOf("a/b/my-layer/package.json")).toContain('"name": "my-layer"');
    expect(textOf("a/b/my-layer/src/layer.ts")).toContain("class MyLayer ");
  });

  test("may hold a .git", async () => {
    mkdirSync(join(folder, ".git"));
    await expect(createLayer({ folder, name: "x", versions })).resolves.toContain("package.json");
  });

  test("that holds anything else is refused, and stays as it is", async () => {
    writeFileSync(join(folder, "notes.txt"), "mine");
    await expect(createLayer({ folder, name: "x", versions })).rejects.toThrow(/is not empty.*notes\.txt/);
    expect(readdirSync(folder)).toEqual(["notes.txt"]);
  });

  test("that is a file is refused", async () => {
    writeFileSync(join(folder, "file"), "mine");
    await expect(createLayer({ folder: join(folder, "file"), versions })).rejects.toThrow(Refusal);
    expect(textOf("file")).toBe("mine");
  });
});

describe("a name", () => {
  test.each([
    "My-Layer",
    "my layer",
    ".hidden",
    "_private",
    "@me",
    "@me/",
    "a/b",
    "node_modules",
    "fs",
    "",
    "a".repeat(215),
    'x", "y',
  ])("that npm does not take is refused: %j", async (name) => {
    await expect(createLayer({ folder, name, versions })).rejects.toThrow(Refusal);
    expect(readdirSync(folder)).toEqual([]);
  });

  test.each(["7", "cev-9", "-"])("that gives no name for a class is refused: %s", async (name) => {
    await expect(createLayer({ folder, name, versions })).rejects.toThrow(Refusal);
  });

  test.each([
    ["cev-checksum", "ChecksumLayer"],
    ["my-layer", "MyLayer"],
    ["@me/x.y_z", "XYZLayer"],
    ["cev-", "CevLayer"],
    // What the layer imports from core is called so.
    ["cev-layer", "MyLayer"],
    ["@me/async", "MyAsyncLayer"],
  ])("%s gives the class %s", async (name, className) => {
    await createLayer({ folder, name, versions });
    expect(textOf("src/index.ts")).toContain(`{ ${className} }`);
  });
});

test("a style that does not exist is refused", async () => {
  await expect(createLayer({ folder, name: "x", style: "callbacks" as "async", versions })).rejects.toThrow(
    /actions, async/,
  );
});

test.each([
  ["20.20.2", 1, /need Node\.js 22\.2 or newer, and this is 20\.20\.2/],
  ["22.1.0", 1, /this is 22\.1\.0/],
  ["22.2.0", 0, /^$/],
  ["26.0.0", 0, /^$/],
])("the tests say in words whether Node.js %s will do", async (version, status, message) => {
  await createLayer({ folder, name: "x", versions });
  const { scripts } = JSON.parse(textOf("package.json")) as { scripts: { pretest: string } };
  const pretend = `Object.defineProperty(process, "versions", { value: { node: "${version}" } })`;
  const outcome = spawnSync(scripts.pretest, {
    shell: true,
    encoding: "utf8",
    env: {
      PATH: `${dirname(process.execPath)}${delimiter}${process.env["PATH"] ?? ""}`,
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(pretend)}`,
    },
  });
  expect(outcome.stderr.trim()).toMatch(message);
  expect(outcome.status).toBe(status);
});

describe("versions", () => {
  const devDependencies = { "@cev/core": "^1.0.0", "@cev/test-kit": "^1.1.0", "@cev/cli": "1.2.0" };

  test("are those of the release that the package belongs to", () => {
    expect(versionsOf({ devDependencies })).toEqual({ core: "^1.0.0", testKit: "^1.1.0", cli: "1.2.0" });
  });

  test("of a package that was not released are not guessed", () => {
    expect(() => versionsOf({ devDependencies: { ...devDependencies, "@cev/cli": "workspace:^" } })).toThrow(
      Refusal,
    );
    expect(() => versionsOf({})).toThrow(Refusal);
  });
});

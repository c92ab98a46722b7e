import { readdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { argumentsOf } from "../src/arguments.ts";
import { run } from "../src/run.ts";

const AROUND = { nodeVersion: "22.2.0", variables: {} };

let said = "";
let folder = "";
beforeEach(() => {
  said = "";
  folder = mkdtempSync(join(tmpdir(), "cev-create-"));
  for (const stream of [process.stdout, process.stderr])
    vi.spyOn(stream, "write").mockImplementation((text) => {
      said += String(text);
      return true;
    });
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

test("--help says what there is", async () => {
  expect(await run(["--help"], AROUND)).toBe(0);
  expect(said).toMatch(/--style.*--name/s);
});

test.each([
  [[], /name one folder/],
  [["a", "b"], /name one folder/],
  [["a", "--stile", "async"], /--stile.*actions, async/],
])("what makes no sense is one line, and exit status 1: %j", async (words, message) => {
  expect(await run(words, AROUND)).toBe(1);
  expect(said.trimEnd()).toMatch(message);
  expect(said.trimEnd()).not.toContain("\n");
});

describe("options without -- in front, which npm takes for its own", () => {
  const npm = { npm_command: "init" };

  test.each([
    [{ npm_config_name: "@me/y" }, ["x"], { name: "@me/y" }],
    [{ npm_config_style: "async" }, ["x"], { style: "async" }],
    [{ npm_config_name: "@me/y" }, ["x", "--name", "z"], { name: "z" }],
    [{}, ["x", "--style", "async"], { style: "async" }],
  ])("are found in what npm hands on: %j", (variables, words, values) => {
    expect(argumentsOf(words, { ...npm, ...variables })).toMatchObject({ values, positionals: ["x"] });
  });

  test.each([{ npm_config_name: "true" }, { npm_config_style: "true" }])(
    "are missed in words where npm tore them apart: %j",
    async (variables) => {
      const around = { ...AROUND, variables: { ...npm, ...variables } };
      expect(await run([join(folder, "x"), "async"], around)).toBe(1);
      expect(said).toMatch(/npm kept an option to itself, write -- in front: .* -- --style async/);
    },
  );

  test("are not looked for where npm was told something else", () => {
    const variables = { npm_command: "exec", npm_config_style: "true" };
    expect(argumentsOf(["x"], variables).values).toEqual({});
  });
});

test("from this repository, where it does not know versions, it makes nothing", async () => {
  expect(await run([join(folder, "x")], AROUND)).toBe(1);
  expect(said).toContain("not a released create-cev-layer");
  expect(readdirSync(folder)).toEqual([]);
});

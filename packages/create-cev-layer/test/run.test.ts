import { readdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { run } from "../src/run.ts";

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
  expect(await run(["--help"], "22.2.0")).toBe(0);
  expect(said).toMatch(/--style.*--name/s);
});

test.each([
  [[], /name one folder/],
  [["a", "b"], /name one folder/],
  [["a", "--stile", "async"], /--stile.*actions, async/],
])("what makes no sense is one line, and exit status 1: %j", async (words, message) => {
  expect(await run(words, "22.2.0")).toBe(1);
  expect(said.trimEnd()).toMatch(message);
  expect(said.trimEnd()).not.toContain("\n");
});

test("from this repository, where it does not know versions, it makes nothing", async () => {
  expect(await run([join(folder, "x")], "22.2.0")).toBe(1);
  expect(said).toContain("not a released create-cev-layer");
  expect(readdirSync(folder)).toEqual([]);
});

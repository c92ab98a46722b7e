import { readFileSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CleanDirectory } from "../clean-directory.ts";
import { Reader, stepsOf } from "../guide.ts";

const TIMEOUT_MS = 300_000;
const top = resolve(import.meta.dirname, "../../..");
const example = join(top, "examples/custom-layer/cev-checksum");
const steps = stepsOf(readFileSync(join(top, "docs/writing-a-layer.md"), "utf8"));

let directory: CleanDirectory;
let reader: Reader;
let isLost = false;
beforeAll(async () => {
  directory = await CleanDirectory.make();
  reader = new Reader(directory);
}, TIMEOUT_MS);
afterAll(() => directory[Symbol.asyncDispose]());

describe("whoever follows the guide, block by block, in an empty directory", () => {
  test.for(steps.map((step, index) => ({ ...step, index })))(
    "$index $name",
    { timeout: TIMEOUT_MS },
    async (step) => {
      expect(isLost, "a step before this one did not come out").toBe(false);
      isLost = true;
      await reader.follow(step);
      isLost = false;
    },
  );

  test("arrives at the example", () => {
    const arrived = join(directory.folder, reader.folder);
    for (const path of filesBelow(example))
      expect(readFileSync(join(arrived, path), "utf8"), path).toBe(readFileSync(join(example, path), "utf8"));
    const written = ["src", "test"].flatMap((folder) =>
      filesBelow(join(arrived, folder)).map((path) => `${folder}/${path}`),
    );
    const wanted = filesBelow(example).filter((path) => /^(src|test)\//.test(path));
    expect(written.toSorted()).toEqual(wanted.toSorted());
  });
});

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory()
      ? filesBelow(join(folder, entry.name)).map((path) => `${entry.name}/${path}`)
      : [entry.name],
  );
}

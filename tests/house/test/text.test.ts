import { describe, expect, test } from "vitest";
import { filesBelow, isTypeScript, readText } from "../source-files.ts";

const LINES_MAX = 400;

/** Files that may be longer, each with its reason. */
const longerWithReason: Readonly<Record<string, string>> = {};

// This file names what it looks for.
const self = "tests/house/test/text.test.ts";
const ours = ["packages", "examples", "tests", "bench", "scripts"]
  .flatMap((folder) => filesBelow(folder, isTypeScript))
  .filter((path) => path !== self);
const lines = new Map(ours.map((path) => [path, readText(path).split("\n").length - 1]));

describe("length of files", () => {
  test(`no file passes ${LINES_MAX} lines without a reason`, () => {
    const long = [...lines].filter(([path, count]) => count > LINES_MAX && !(path in longerWithReason));
    expect(long).toEqual([]);
  });

  test("every reason still has its file", () => {
    const idle = Object.keys(longerWithReason).filter((path) => (lines.get(path) ?? 0) <= LINES_MAX);
    expect(idle).toEqual([]);
  });
});

describe.each([
  ["marks of unfinished work", /\b(TODO|FIXME|XXX|HACK)\b|not implemented/i],
  ["tests that do not run", /\b(test|it|describe)\.(only|todo)\b|\b(test|it|describe)\.skip\(["']/],
  ["silenced checks", /eslint-disable|@ts-ignore|@ts-nocheck/],
])("%s", (_name, pattern) => {
  test("are nowhere", () => {
    const hits = ours.flatMap((path) =>
      readText(path)
        .split("\n")
        .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [])),
    );
    expect(hits).toEqual([]);
  });
});

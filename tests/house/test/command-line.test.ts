import { describe, expect, test } from "vitest";
import { numberOf, oneOf, ownArguments } from "../../../scripts/command-line.ts";
import { readText } from "../source-files.ts";

const { scripts } = JSON.parse(readText("package.json")) as { scripts: Record<string, string> };

// The simulator checks its arguments by itself: its workers are called with the same ones.
const BY_ITSELF = ["sim"];

/** The commands of this project that are programs of their own, and their files. */
const commands = Object.entries(scripts).flatMap(([name, line]) => {
  const path = /\s(\S+\/main\.ts)$/.exec(line)?.[1];
  return path === undefined || name === "demo" || BY_ITSELF.includes(name) ? [] : [{ name, path }];
});

describe("a command of this project", () => {
  test.each(commands)("pnpm $name reads its command line as the others do", ({ name, path }) => {
    expect(readText(path)).toMatch(new RegExp(`readCommandLine\\(\\s*"${name}",\\s*(HELP|USAGE),`));
  });

  test.each(commands)("pnpm $name --help has an example", ({ name, path }) => {
    const options = path.replace("main.ts", "options.ts");
    const text = readText(path) + (readText(path).includes('from "./options.ts"') ? readText(options) : "");
    expect(text).toMatch(new RegExp(`Examples?:\n  pnpm ${name} `));
  });
});

test("a separator that the package manager left in is no argument", () => {
  expect(ownArguments(["--", "--seed", "1"])).toEqual(["--seed", "1"]);
  expect(ownArguments(["--seed", "1", "--"])).toEqual(["--seed", "1", "--"]);
});

test.each(["", "x", "1.5", "-1", "0x10", "1e3", "1".repeat(16)])("%j is no whole number", (text) => {
  expect(() => numberOf("seed", text)).toThrow(`--seed takes a whole number, not ${text}`);
});

test("a number below the least and a word that is not known are refused by the name of the option", () => {
  expect(numberOf("jobs", "2", 1)).toBe(2);
  expect(() => numberOf("jobs", "0", 1)).toThrow("--jobs takes a whole number from 1 on, not 0");
  expect(oneOf("what", ["crash", "faults"], "faults")).toBe("faults");
  expect(() => oneOf("what", ["crash", "faults"], "constructor")).toThrow("--what takes crash, faults");
});

import ts from "typescript";
import { expect, test } from "vitest";
import { filesBelow, parse } from "../source-files.ts";

const requirements = [
  ...["A1", "A2", "A3", "A4", "A5", "A6"],
  ...["B1", "B2", "B3", "B4", "B5"],
  ...["T1", "T2", "T3", "G1"],
];

/** The systems the mechanism was asked for, and the packages that are them. */
const systems: Readonly<Record<string, readonly string[]>> = {
  S1: ["crypt"],
  S2: ["convert"],
  S3: ["stack", "test-kit"],
  S4: ["lvm"],
  S5: ["raid"],
  S6: ["drive-link", "snapshot"],
  S7: ["hw-file", "hw-ramdisk"],
};

const titles = ["packages", "tests", "examples"].flatMap(titlesBelow);

test.each(requirements)("requirement %s has a test whose title starts with its number", (number) => {
  expect(titled(titles, number)).not.toEqual([]);
});

test.each(Object.entries(systems))(
  "system %s has a test whose title starts with its number in each of %s",
  (number, packages) => {
    const missing = packages.filter((name) => titled(titlesBelow(`packages/${name}`), number).length === 0);
    expect(missing).toEqual([]);
  },
);

function titled(all: readonly string[], number: string): string[] {
  return all.filter((title) => new RegExp(`^${number}\\b`).test(title));
}

function titlesBelow(folder: string): string[] {
  return filesBelow(folder, (path) => path.endsWith(".test.ts")).flatMap((path) => titlesOf(parse(path)));
}

/** Titles of tests: the first literal argument of `test(…)`, `it(…)` and what is built on them, such as `test.each(…)(…)`. */
function titlesOf(file: ts.SourceFile): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && /^(test|it)\b/.test(node.expression.getText())) {
      const [title] = node.arguments;
      if (title !== undefined && ts.isStringLiteralLike(title)) found.push(title.text);
      else if (title !== undefined && ts.isTemplateExpression(title)) found.push(title.head.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

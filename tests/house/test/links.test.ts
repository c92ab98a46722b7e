import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { expect, test } from "vitest";
import { filesBelow, readText, top } from "../source-files.ts";

const documents = [
  ...["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"],
  ...["packages", "examples", "tests", "bench", "docs"].flatMap((folder) =>
    filesBelow(folder, (path) => path.endsWith(".md")),
  ),
];

test("every relative link in a document leads to a file", () => {
  const dangling = documents.flatMap((path) =>
    linksOf(readText(path))
      .filter((link) => !existsSync(join(top, dirname(path), link)))
      .map((link) => `${path}: ${link}`),
  );
  expect(dangling).toEqual([]);
});

test("the README of tests/interop names every test there, and no other", () => {
  const tests = filesBelow("tests/interop/test", (path) => path.endsWith(".test.ts"));
  const rows = readText("tests/interop/README.md").match(/^\| (`[-a-z0-9]+`(, )?)+ \|/gm) ?? [];
  const named = rows.flatMap((row) => [...row.matchAll(/`([^`]+)`/g)].map(([, name]) => name!));
  expect(named.toSorted()).toEqual(tests.map((path) => basename(path, ".test.ts")).toSorted());
});

/** Targets of `[text](target)` outside fenced code, without addresses on the net and without anchors. */
function linksOf(markdown: string): string[] {
  const prose = markdown.replaceAll(/^```[^]*?^```$/gm, "");
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = ""]) => target.replace(/#.*$/, ""))
    .filter((target) => target !== "" && !/^[a-z]+:/.test(target));
}

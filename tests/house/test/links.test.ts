import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
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

/** Targets of `[text](target)` outside fenced code, without addresses on the net and without anchors. */
function linksOf(markdown: string): string[] {
  const prose = markdown.replaceAll(/^```[^]*?^```$/gm, "");
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = ""]) => target.replace(/#.*$/, ""))
    .filter((target) => target !== "" && !/^[a-z]+:/.test(target));
}

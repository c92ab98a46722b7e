/** The interface that others write layers and drivers for does not change unnoticed. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { INTERFACE_VERSION } from "@cev/core";
import ts from "typescript";
import { expect, test } from "vitest";
import { readText, top } from "../source-files.ts";

/** What a layer or a driver meets. */
const FILES = [
  ...["interface-version", "layer", "io", "completion", "limits", "support", "claims", "async-layer"],
  ...["extents/run", "environment", "driver"],
];

const RECORDED = `tests/house/interface-v${INTERFACE_VERSION}.d.txt`;

const HOW = `the interface that others write layers for is not what ${RECORDED} says.
An addition that may be left out (an optional member, a new function): record it with
  CEV_RECORD=1 npx vitest run --project @cev/tests-house interface
Anything else breaks what is published: raise INTERFACE_VERSION in packages/core/src/interface-version.ts, keep INTERFACE_VERSIONS.oldest
where layers for the older one still work (tests/third-party/fixtures/frozen-v1 shows whether they do), and record then.`;

test("the declarations of the interface are those that were recorded for its version", () => {
  const present = FILES.map((name) => `// ${name}\n${declarationsOf(`packages/core/src/${name}.ts`)}`).join(
    "\n",
  );
  const path = join(top, RECORDED);
  if (process.env["CEV_RECORD"] === "1") writeFileSync(path, present);
  expect(existsSync(path), HOW).toBe(true);
  expect(present, HOW).toBe(readFileSync(path, "utf8"));
});

/** What a file declares to others, without comments, private members and what is marked as internal. */
function declarationsOf(path: string): string {
  const { outputText, diagnostics } = ts.transpileDeclaration(readText(path), {
    fileName: path,
    compilerOptions: { removeComments: true, stripInternal: true, target: ts.ScriptTarget.ESNext },
  });
  expect(diagnostics).toEqual([]);
  return outputText
    .split("\n")
    .filter((line) => !/^(import\b|\s*#private;|\s*private )/.test(line))
    .join("\n");
}

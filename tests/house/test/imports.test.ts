import { builtinModules } from "node:module";
import { dirname, join } from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import {
  filesBelow,
  importsOf,
  isTypeScript,
  packageNames,
  parse,
  readText,
  sourcesOf,
} from "../source-files.ts";

interface Allowance {
  /** Packages of this repository. */
  readonly own: readonly string[];
  /** Built-in modules of Node; "all" where a package stands at an edge of the system. */
  readonly node: readonly string[] | "all";
  /** Packages by others. */
  readonly others: readonly string[];
}

/** Who may import whom. Layers never import one another: they meet in a stack, through the layer interface. */
const allowed: Readonly<Record<string, Allowance>> = {
  core: { own: [], node: [], others: [] },
  "hw-ramdisk": { own: ["core"], node: [], others: [] },
  "hw-file": { own: ["core"], node: "all", others: [] },
  raid: { own: ["core"], node: [], others: [] },
  lvm: { own: ["core"], node: ["node:zlib"], others: [] },
  snapshot: { own: ["core"], node: [], others: [] },
  thin: { own: ["core"], node: [], others: [] },
  "drive-link": { own: ["core"], node: [], others: [] },
  convert: { own: ["core"], node: ["node:zlib"], others: [] },
  crypt: {
    own: ["core"],
    node: [
      "node:buffer",
      "node:child_process",
      "node:crypto",
      "node:os",
      "node:process",
      "node:sea",
      "node:url",
      "node:worker_threads",
    ],
    others: ["hash-wasm"],
  },
  nbd: { own: ["core"], node: "all", others: [] },
  stack: { own: ["core"], node: "all", others: ["gpt", "mbr", "valibot", "yaml"] },
  "test-kit": { own: ["core"], node: ["node:test"], others: ["vitest"] },
  // It begins packages that use the others, and imports none.
  "create-cev-layer": { own: [], node: "all", others: [] },
  cli: {
    own: [
      "convert",
      "core",
      "crypt",
      "drive-link",
      "hw-file",
      "hw-ramdisk",
      "lvm",
      "nbd",
      "raid",
      "snapshot",
      "stack",
      "test-kit",
      "thin",
    ],
    node: "all",
    others: ["cli-progress", "commander"],
  },
};

function isAllowed(specifier: string, { own, node, others }: Allowance): boolean {
  if (specifier.startsWith(".")) return true;
  if (specifier.startsWith("node:")) return node === "all" || node.includes(specifier);
  if (specifier.startsWith("@cev/")) return own.includes(specifier.split("/")[1]!);
  return others.includes(specifier);
}

test("every package has its line in the table", () => {
  expect(packageNames().toSorted()).toEqual(Object.keys(allowed).toSorted());
});

describe.each(packageNames())("packages/%s", (name) => {
  const allowance = allowed[name] ?? { own: [], node: [], others: [] };
  const imports = sourcesOf(name).flatMap((path) =>
    importsOf(parse(path)).map((specifier) => ({ path, specifier })),
  );

  test("imports only what its line allows", () => {
    expect(imports.filter(({ specifier }) => !isAllowed(specifier, allowance))).toEqual([]);
  });

  test("reaches its own files alone by relative paths, with their extension", () => {
    const relative = imports.filter(({ specifier }) => specifier.startsWith("."));
    const folder = `packages/${name}/src/`;
    const astray = relative.filter(
      ({ path, specifier }) =>
        !join(dirname(path), specifier).startsWith(folder) || !specifier.endsWith(".ts"),
    );
    expect(astray).toEqual([]);
  });

  test("declares what its line allows, and nothing else", () => {
    const { dependencies = {} } = JSON.parse(readText(`packages/${name}/package.json`)) as {
      dependencies?: Record<string, string>;
    };
    const line = [...allowance.own.map((own) => `@cev/${own}`), ...allowance.others];
    expect(Object.keys(dependencies).filter((dependency) => !line.includes(dependency))).toEqual([]);
  });
});

test("the command loads the test kit when one of its drivers is named, and not before", () => {
  const statically = sourcesOf("cli").flatMap((path) =>
    parse(path)
      .statements.filter((one) => ts.isImportDeclaration(one) || ts.isExportDeclaration(one))
      .filter(({ moduleSpecifier }) => moduleSpecifier?.getText().includes("@cev/test-kit") === true),
  );
  expect(statically.map((one) => one.getText())).toEqual([]);
});

test("tests and examples reach packages by their names, not by paths into them", () => {
  const outsiders = ["tests", "examples", "bench"].flatMap((folder) => filesBelow(folder, isTypeScript));
  const inside = outsiders.flatMap((path) =>
    importsOf(parse(path))
      .filter((specifier) => /(^|\/)packages\//.test(specifier) || /^@cev\/[a-z-]+\/src/.test(specifier))
      .map((specifier) => ({ path, specifier })),
  );
  expect(inside).toEqual([]);
});

test("built-in modules are written with node: in front", () => {
  const all = ["packages", "tests", "examples", "bench", "scripts"].flatMap((folder) =>
    filesBelow(folder, isTypeScript),
  );
  const bare = all.flatMap((path) =>
    importsOf(parse(path))
      .filter((specifier) => builtinModules.includes(specifier) && !specifier.startsWith("node:"))
      .map((specifier) => ({ path, specifier })),
  );
  expect(bare).toEqual([]);
});

import { describe, expect, test } from "vitest";
import { filesBelow, packageNames, readText } from "../source-files.ts";

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly description?: string;
  readonly keywords?: readonly string[];
  readonly license?: string;
  readonly type?: string;
  readonly sideEffects?: boolean;
  readonly engines?: Readonly<Record<string, string>>;
  readonly exports?: unknown;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

const manifestOf = (path: string): Manifest => JSON.parse(readText(path)) as Manifest;
const changesets = filesBelow(".changeset", (path) => path.endsWith(".md"))
  .map(readText)
  .join("\n");

// `npm create cev-layer` asks for a package of this name, and may be called with the oldest Node that npm runs on.
const notAsAllOthers: Readonly<Record<string, object>> = {
  "create-cev-layer": { name: "create-cev-layer", engines: { node: ">=20" } },
};

describe.each(packageNames())("packages/%s", (name) => {
  const manifest = manifestOf(`packages/${name}/package.json`);

  test("says what it is and what it needs, as all others do", () => {
    expect(manifest).toMatchObject({
      name: `@cev/${name}`,
      license: "MIT",
      type: "module",
      sideEffects: false,
      engines: { node: ">=22" },
      exports: {
        ".": { "@cev/source": "./src/index.ts", types: "./dist/index.d.ts", default: "./dist/index.js" },
      },
      ...notAsAllOthers[name],
    });
    expect(manifest.private).toBeUndefined();
    expect(manifest.description).toMatch(/\w{4}/);
    expect(manifest.keywords).toContain("cev");
  });

  test("was released, or has a changeset for its first release", () => {
    const isReleased = manifest.version !== "0.0.0";
    expect(isReleased || changesets.includes(`"${manifest.name}": minor`)).toBe(true);
  });
});

test("dependencies are pinned exactly; packages of this repository are taken from the workspace", () => {
  const manifests = [
    "package.json",
    ...["packages", "examples", "tests", "bench"].flatMap((folder) =>
      filesBelow(folder, (path) => path.endsWith("/package.json") && !path.includes("/fixtures/")),
    ),
  ];
  const loose = manifests.flatMap((path) => {
    const { dependencies = {}, devDependencies = {} } = manifestOf(path);
    return Object.entries({ ...dependencies, ...devDependencies })
      .filter(([name, version]) => !isPinned(name, version))
      .map(([name, version]) => `${path}: ${name} ${version}`);
  });
  expect(loose).toEqual([]);
});

function isPinned(name: string, version: string): boolean {
  if (name.startsWith("@cev/") || name === "create-cev-layer") return version.startsWith("workspace:");
  return /^(npm:.+@)?\d+\.\d+\.\d+(-[\w.]+)?$/.test(version);
}

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { afterAll, describe, expect, test } from "vitest";
import { packAll } from "../outside.ts";

// The packages are ESM alone and say so: `require` of them and resolution as Node 10 did it are not offered.
const notOffered = new Set(["node10", "node16-cjs"]);

const folder = mkdtempSync(join(tmpdir(), "cev-packed-"));
const packages = packAll(folder);

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe.each(packages)("$manifest.name, packed", ({ manifest, tarball }) => {
  const bytes = new Uint8Array(readFileSync(tarball));

  test("publint finds nothing to say", async () => {
    const { messages, pkg } = await publint({ pack: { tarball: bytes.slice().buffer }, strict: true });
    expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([]);
  });

  test("its types resolve as its code does", async () => {
    const result = await checkPackage(createPackageFromTarballData(bytes));
    const problems = "problems" in result ? result.problems : [];
    const real = problems.filter((one) => !("resolutionKind" in one) || !notOffered.has(one.resolutionKind));
    expect(result.types).not.toBe(false);
    expect(real).toEqual([]);
  });

  test("no dependency points into the workspace", () => {
    expect(JSON.stringify(packedManifest(bytes, manifest.name))).not.toMatch(/workspace:|link:|file:/);
  });
});

function packedManifest(tarball: Uint8Array, name: string): unknown {
  const packed = createPackageFromTarballData(tarball);
  return JSON.parse(packed.readFile(`/node_modules/${name}/package.json`)) as unknown;
}

import { FULL_SUPPORT } from "@cev/core";
import { describe, expect, test } from "vitest";
import { THEMES, conformanceOf } from "../src/index.ts";
import { BROKEN_BORDERS } from "./broken-borders.ts";
import { BROKEN_CACHES } from "./broken-caches.ts";
import { BROKEN_COMPLETIONS } from "./broken-completions.ts";
import { BROKEN_CONTENTS } from "./broken-contents.ts";
import { BROKEN_EXTENTS } from "./broken-extents.ts";
import { BROKEN_ENDINGS } from "./broken-endings.ts";
import { BROKEN_METADATA, headerManifest } from "./broken-metadata.ts";
import { createHeader } from "./header-layer.ts";
import { cacheManifest, createCache } from "./write-back-layer.ts";
import { DefectLayer, HANGS } from "./defect-layer.ts";
import type { Broken } from "./defect-layer.ts";

async function findingsOf({ defect, lower, manifest, theme, check, create }: Broken): Promise<string[]> {
  const findings: string[] = [];
  const { checks } = conformanceOf({
    name: "the broken layer",
    manifest: { support: FULL_SUPPORT, ...manifest },
    create: (bench) => {
      if (create !== undefined) return create(bench);
      const below = bench.lower({ size: 65_536, ...lower });
      return new DefectLayer(below, bench.environment, defect, bench.isFirst ? 1 : 2);
    },
  });
  for (const one of checks.filter((any) => any.theme === theme && check?.test(any.name) !== false)) {
    await one.run().catch((error: unknown) => findings.push(String(error)));
  }
  return findings;
}

const BROKEN: readonly Broken[] = [
  ...BROKEN_CONTENTS,
  ...BROKEN_ENDINGS,
  ...BROKEN_EXTENTS,
  ...BROKEN_COMPLETIONS,
  ...BROKEN_METADATA,
  ...BROKEN_BORDERS,
  ...BROKEN_CACHES,
];

describe("a layer that is broken is found, by the theme its defect belongs to:", () => {
  test.each(BROKEN)("it $what ($theme)", async (broken) => {
    // What hangs is waited for so long; others, and one that is sound, get all the time that they take.
    const deadline = broken.finding === HANGS ? { deadlineMs: 300 } : {};
    const findings = await findingsOf({ ...broken, manifest: { ...deadline, ...broken.manifest } });
    expect(findings.join("\n")).toMatch(broken.finding);
  });

  test.each(THEMES)("and one that is not broken is not (%s)", async (theme) => {
    expect(await findingsOf({ what: "", theme, finding: /-/, defect: {} })).toEqual([]);
  });

  test.each(["describe", "resize", "errors", "durability"] as const)(
    "nor one with a header that is as it should be (%s)",
    async (theme) => {
      const sound = { what: "", theme, finding: /-/, defect: {}, create: createHeader({}) };
      expect(await findingsOf({ ...sound, manifest: headerManifest({}) })).toEqual([]);
    },
  );

  test.each(THEMES)("nor a cache that is as it should be (%s)", async (theme) => {
    const sound = { what: "", theme, finding: /-/, defect: {}, create: createCache({}) };
    expect(await findingsOf({ ...sound, manifest: cacheManifest })).toEqual([]);
  });

  test("nor one that is still growing when the power goes, and goes on with what is no disk of anybody's any more", async () => {
    const slow = {
      what: "",
      theme: "resize",
      finding: /-/,
      defect: {},
      create: createHeader({ growsAfterTurns: 12 }),
    } as const;
    expect(await findingsOf({ ...slow, manifest: headerManifest({ growsAfterTurns: 12 }) })).toEqual([]);
  });
});

import { FULL_SUPPORT } from "@cev/core";
import { describe, expect, test } from "vitest";
import { conformanceOf } from "../src/index.ts";
import { BROKEN_CONTENTS } from "./broken-contents.ts";
import { BROKEN_EXTENTS } from "./broken-extents.ts";
import { BROKEN_ENDINGS } from "./broken-endings.ts";
import { DefectLayer } from "./defect-layer.ts";
import type { Broken } from "./defect-layer.ts";

async function findingsOf({ defect, lower, manifest, theme }: Broken): Promise<string[]> {
  const findings: string[] = [];
  const { checks } = conformanceOf({
    name: "the broken layer",
    manifest: { support: FULL_SUPPORT, deadlineMs: 300, ...manifest },
    create: (bench) => {
      const below = bench.lower({ size: 65_536, ...lower });
      return new DefectLayer(below, bench.environment, defect, bench.isFirst ? 1 : 2);
    },
  });
  for (const check of checks.filter((one) => one.theme === theme)) {
    await check.run().catch((error: unknown) => findings.push(String(error)));
  }
  return findings;
}

describe("a layer that is broken is found, by the theme its defect belongs to:", () => {
  test.each([...BROKEN_CONTENTS, ...BROKEN_ENDINGS, ...BROKEN_EXTENTS])(
    "it $what ($theme)",
    async (broken) => {
      const findings = await findingsOf(broken);
      expect(findings.join("\n")).toMatch(broken.finding);
    },
  );

  test("and one that is not broken is not", async () => {
    for (const theme of ["contents", "errors", "durability", "completion", "zeroes", "extents"] as const)
      expect(await findingsOf({ what: "", theme, finding: /-/, defect: {} })).toEqual([]);
  });
});

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Random } from "@cev/test-kit";
import { expect, test } from "vitest";
import { compareMany } from "../luks2-headers/compare.ts";
import { describeWith } from "../src/tools.ts";

describeWith(["cryptsetup"], "LUKS2 headers with metadata changed by chance", () => {
  test("what cryptsetup takes for valid cev does, and nothing else", async () => {
    const folder = mkdtempSync(join(tmpdir(), "luks2-headers-"));
    const seed = Date.now() % 1_000_000;
    try {
      const { valid, refused, differing } = await compareMany({
        folder,
        count: 80,
        random: new Random(seed),
      });
      expect({ seed, differing }).toEqual({ seed, differing: [] });
      expect(valid).toBeGreaterThan(5);
      expect(refused).toBeGreaterThan(5);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

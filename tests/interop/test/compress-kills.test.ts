import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { WRITES_MIN, runKills } from "../compress-kills/kill-rounds.ts";
import { chooseSeed } from "../src/random.ts";
import { describeWith } from "../src/tools.ts";

const seed = chooseSeed();

describeWith(
  ["qemu-io", "nbdcopy"],
  `a server of a compressed device that is killed, CEV_SEED=${seed}`,
  () => {
    test("has all that was flushed when it comes back, and of the rest the old or the new", async () => {
      const folder = mkdtempSync(join(tmpdir(), "cevk-"));
      try {
        const options = { folder, seed, killCount: 2, isVolatile: true, chunkSize: 32_768, workMsMax: 300 };
        const { writeCount, qemuCount } = await runKills(options);
        expect(writeCount).toBeGreaterThanOrEqual(2 * WRITES_MIN);
        expect(qemuCount).toBeGreaterThanOrEqual(2 * WRITES_MIN);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });
  },
);

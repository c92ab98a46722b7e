import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const fixture = join(import.meta.dirname, "fixtures/under-node-test.ts");

function run(layer: "sound" | "broken"): { status: number | null; counts: Record<string, number> } {
  const { status, stdout } = spawnSync(
    process.execPath,
    ["--conditions=@cev/source", "--test-reporter=tap", fixture],
    { encoding: "utf8", env: { ...process.env, LAYER: layer } },
  );
  const counts = [...stdout.matchAll(/^# (pass|fail|skipped) (\d+)$/gm)];
  return { status, counts: Object.fromEntries(counts.map(([, name, count]) => [name!, Number(count)])) };
}

describe("under node:test", () => {
  test("a sound layer passes, and what is left out is counted as skipped", () => {
    const { status, counts } = run("sound");
    expect(counts).toMatchObject({ fail: 0 });
    // One theme, and what follows from the manifest.
    expect(counts["skipped"]).toBeGreaterThan(5);
    expect(counts["pass"]).toBeGreaterThan(15);
    expect(status).toBe(0);
  });

  test("a layer that drops flushes fails", () => {
    const { status, counts } = run("broken");
    expect(counts["fail"]).toBeGreaterThan(0);
    expect(status).not.toBe(0);
  });
});

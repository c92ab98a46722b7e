import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SCENES } from "../lvm-matrix/crash/scenes.ts";
import { readLog } from "../lvm-matrix/oracle-batch.ts";
import { runMatrix } from "../lvm-matrix/runner.ts";
import { SHAPES } from "../lvm-matrix/shapes.ts";
import type { Verdict } from "../lvm-matrix/verdict.ts";
import { chooseSeed, drawSome } from "../src/random.ts";
import { ORACLE_TOOLS, describeWith } from "../src/tools.ts";

// A few groups (both with CEV_ALL_CASES), sequences of commands and power cuts; the whole matrix is `pnpm run lvm-matrix`.
const WRITTEN = drawSome(["mirror", "raid5_ls"], 1, chooseSeed());
const CRASHED = ["lvconvert merge"];
const SEED = 5;

const folder = mkdtempSync(join(tmpdir(), "lvm-matrix-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describeWith(ORACLE_TOOLS, "a sample of the LVM2 matrix, both ways", () => {
  const verdicts: Verdict[] = [];
  const expected = [
    ...WRITTEN.map((name) => `write ${name}`),
    "command sequence-0",
    ...CRASHED.map((name) => `crash ${name.replaceAll(" ", "_")}`),
  ];

  beforeAll(async () => {
    await runMatrix({
      shapes: SHAPES.filter(({ name }) => WRITTEN.includes(name)),
      scenes: SCENES.filter(({ name }) => CRASHED.includes(name)),
      crashSample: 2,
      sequences: [0],
      sequenceLength: 25,
      ways: ["write", "command", "crash"],
      seed: SEED,
      jobs: 2,
      missing: undefined,
      folder,
      isKept: false,
      report: (more) => verdicts.push(...more),
    });
  }, 300_000);

  test.each(expected)("%s", (title) => {
    const own = verdicts.filter(({ way, id }) => `${way} ${id}` === title);
    expect(own).toHaveLength(1);
    expect(own[0]!.failures).toEqual([]);
  });
});

test("what the kernel says is read by its titles, before and after it changed something", () => {
  const hash = "0".repeat(64);
  const log = `volume a 512 ${hash}\nfinding mismatches a 3\n== lvs\n  a|x|512\n== contents\nvolume b 1024 ${hash}\nresult ok\n`;
  const { isOk, volumes, changed, findings, listings } = readLog(log, null);
  expect(isOk).toBe(true);
  expect([...volumes]).toEqual([["a", { size: 512, sha256: hash }]]);
  expect([...changed]).toEqual([["b", { size: 1024, sha256: hash }]]);
  expect(findings.get("mismatches a")).toBe("3");
  expect(listings.get("lvs")).toEqual([["a", "x", "512"]]);
});

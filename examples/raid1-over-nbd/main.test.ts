import { join } from "node:path";
import { expect, test } from "vitest";
import { runSource } from "../../scripts/run-source.ts";

test("a mirror whose server was killed goes on, and only what it missed is copied when it is back", () => {
  const { status, stdout, stderr } = runSource(join(import.meta.dirname, "main.ts"));
  expect(stderr).toBe("");
  expect(stdout).toMatch(/^wrote \d+ MiB to a RAID1 over two NBD servers\n/);
  expect(stdout).toMatch(/one was killed in the middle of a write: s0 in sync, s1 failed; 0 bytes differ\n/);
  expect(stdout).toMatch(/\n0 bytes differ, the copies differ in 0\n$/);
  expect(status).toBe(0);
  const copiedKib = Number(/(\d+) KiB were written to it/.exec(stdout)?.[1]);
  // What was written meanwhile is 1280 KiB, in seven regions of 256 KiB at most; the rest is metadata.
  expect(copiedKib).toBeGreaterThanOrEqual(1280);
  expect(copiedKib).toBeLessThan(2560);
});

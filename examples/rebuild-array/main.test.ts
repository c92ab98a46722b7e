import { join } from "node:path";
import { expect, test } from "vitest";
import { runSource } from "../../scripts/run-source.ts";

test("a RAID6 that lost two members is rebuilt, and no byte is another", () => {
  const { status, stdout, stderr } = runSource(join(import.meta.dirname, "main.ts"));
  expect(stderr).toBe("");
  expect(stdout).toMatch(/^wrote 69 MiB to a RAID6 of five members\n/);
  expect(stdout).toMatch(/two members failed, and one MiB was written anew: 0 bytes differ\n/);
  expect(stdout).toMatch(/rebuilt: d0 in sync, new0 in sync, d2 in sync, new1 in sync, d4 in sync\n/);
  expect(stdout).toMatch(/0 bytes differ, 0 sectors have the wrong parity\n$/);
  expect(status).toBe(0);
});

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { mountOverNbd } from "../nbd-kernel/kernel-client.ts";
import { ORACLE_TOOLS, describeWith } from "../src/tools.ts";

describeWith([...ORACLE_TOOLS, "nbd-client"], "the kernel's own NBD client", () => {
  let folder: string;
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "nbd-kernel-"))));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("over four connections mounts ext4, and what it wrote and discarded is on the disk", async () => {
    const { status, stdout, stderr } = await mountOverNbd(folder, { connections: 4, length: 8_000_000 });
    expect(stdout, stderr).toMatch(/same\s*$/);
    expect(status).toBe(0);
  }, 200_000);
});

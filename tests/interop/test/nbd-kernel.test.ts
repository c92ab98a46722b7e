import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { mountOverNbd, reconnectOverNbd } from "../nbd-kernel/kernel-client.ts";
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

  // What gives the kernel connections calls the C library, which Node can from 26 on. It takes a second start of the kernel.
  test.skipIf(Number.parseInt(process.versions.node, 10) < 26 || process.env["CEV_ALL_CASES"] === undefined)(
    "goes on with a server that was killed and started again, and nothing of what was written is lost",
    async () => {
      const work = join(folder, "again");
      mkdirSync(work);
      const { status, stdout, stderr } = await reconnectOverNbd(work, { kills: 1 });
      expect(stdout, stderr).toMatch(/same\s*$/);
      expect(status).toBe(0);
    },
    200_000,
  );
});

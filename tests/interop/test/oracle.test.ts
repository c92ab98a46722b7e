import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runOracle } from "../oracle/run-oracle.ts";
import { ORACLE_TOOLS, describeWith } from "../src/tools.ts";

describeWith(ORACLE_TOOLS, "the oracle", () => {
  let folder = "";
  let disk = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "cev-oracle-"));
    disk = join(folder, "disk.img");
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  test("gives a script's output, errors and status, and hands in variables", async () => {
    const result = await runOracle({
      script: 'echo "out $WORD"; echo err >&2; exit 7',
      env: { WORD: "it's 5" },
    });
    expect(result).toEqual({ status: 7, stdout: "out it's 5\n", stderr: "err\n" });
  });

  for (const mode of ["write", "snapshot", "power-cut"] as const) {
    test(`${mode}: what the script writes is ${mode === "snapshot" ? "forgotten" : "in the image"}`, async () => {
      writeFileSync(disk, Buffer.alloc(65_536, 0x11));
      const script =
        'printf written | dd of="$1" bs=4096 seek=1 conv=notrunc,fsync status=none; blockdev --getsize64 "$1"';
      const result = await runOracle({ script, disks: [disk], mode });
      expect(result).toMatchObject({ status: 0, stdout: "65536\n" });
      const isWritten = readFileSync(disk).toString("latin1", 4096, 4103) === "written";
      expect(isWritten).toBe(mode !== "snapshot");
    });
  }

  test("read-only: the script cannot write", async () => {
    writeFileSync(disk, Buffer.alloc(65_536));
    const result = await runOracle({ script: 'echo x >"$1"', disks: [disk], mode: "read-only" });
    expect(result.status).not.toBe(0);
    expect(readFileSync(disk).every((byte) => byte === 0)).toBe(true);
  });

  test("a script that does not end is stopped", async () => {
    const result = await runOracle({ script: "sleep 100", timeoutMs: 4000 });
    expect(result.status).toBe(124);
  });
});

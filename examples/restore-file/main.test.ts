import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { runSource } from "../../scripts/run-source.ts";
import type { EndedProgram } from "../../scripts/run-source.ts";
import { unpackGolden } from "../../tests/interop/golden/unpack.ts";

const folder = mkdtempSync(join(tmpdir(), "cev-restore-"));
const { manifest, images } = unpackGolden("stack", folder);
const passphraseFile = join(folder, "secret");
writeFileSync(passphraseFile, `${manifest.passphrase ?? ""}\n`);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const restore = (...args: string[]): EndedProgram => runSource(join(import.meta.dirname, "main.ts"), ...args);

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

describe("one file out of a backup", () => {
  test.each([0, 1, 2, 3])(
    "with disk %i lost, is what the kernel wrote, and the images stay as they are",
    (lost) => {
      const present = images.filter((_, index) => index !== lost);
      const before = present.map((path) => sha256(readFileSync(path)));
      const file = manifest.files.find(({ path }) => path === "/binary.bin")!;
      const { status, bytes, stderr } = restore(file.path, "--passphrase-file", passphraseFile, ...present);
      expect(stderr).toMatch(/degraded/);
      expect(sha256(bytes)).toBe(file.sha256);
      expect(status).toBe(0);
      expect(present.map((path) => sha256(readFileSync(path)))).toEqual(before);
    },
  );

  test("without the passphrase fails and says why", () => {
    const { status, bytes, stderr } = restore("/hello.txt", ...images);
    expect(stderr).toMatch(/locked/);
    expect(bytes).toHaveLength(0);
    expect(status).toBe(1);
  });
});

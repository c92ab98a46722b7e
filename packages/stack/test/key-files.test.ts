import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { readKeyFile, readPassphraseFile } from "../src/index.ts";
import { failureOf } from "./helpers.ts";

const LENGTH_MAX = 8 << 20;
const folder = mkdtempSync(join(tmpdir(), "cev-keys-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function fileOf(bytes: Uint8Array): string {
  const path = join(folder, "key");
  writeFileSync(path, bytes);
  return path;
}

describe("a key file", () => {
  test.each([0, 1, 65_536, 65_537, LENGTH_MAX])("of %i bytes is read to its end", async (length) => {
    const bytes = new Uint8Array(length).map((_, index) => index % 251);
    expect(Buffer.compare(await readKeyFile(fileOf(bytes)), bytes)).toBe(0);
  });

  test("of more than 8 MiB is refused", async () => {
    const path = fileOf(new Uint8Array(LENGTH_MAX + 1));
    const line = `${path}: it has more than 8 MiB, too many for a key file`;
    expect(await failureOf(readKeyFile(path))).toEqual({ code: "CEV_INVALID", line });
  });

  test.skipIf(!existsSync("/dev/zero"))("without end is refused", async () => {
    const line = "/dev/zero: it has more than 8 MiB, too many for a key file";
    expect(await failureOf(readPassphraseFile("/dev/zero"))).toEqual({ code: "CEV_INVALID", line });
  });
});

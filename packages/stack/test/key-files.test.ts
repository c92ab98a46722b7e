import { execFileSync } from "node:child_process";
import { appendFileSync, existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
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

  test.each([
    ["the first bytes", 0, 3, "abc"],
    ["some in the middle", 2, 3, "cde"],
    ["all behind the first", 3, undefined, "defg"],
    ["none behind the last", 7, undefined, ""],
    ["none far behind", 2 ** 50, undefined, ""],
  ])("gives %s", async (_name, offset, size, expected) => {
    const key = await readKeyFile(fileOf(Buffer.from("abcdefg")), { offset, size });
    expect(Buffer.from(key).toString()).toBe(expected);
  });

  test("that ends before the range that was asked for is refused", async () => {
    const path = fileOf(Buffer.from("abcdefg"));
    const line = `${path}: it ends 2 bytes before the end of the key`;
    expect(await failureOf(readKeyFile(path, { offset: 5, size: 4 }))).toEqual({ code: "CEV_INVALID", line });
  });

  test("far back on a large file is found without reading what comes before", async () => {
    const path = fileOf(new Uint8Array(0));
    truncateSync(path, 2 ** 42);
    appendFileSync(path, "secret");
    const key = await readKeyFile(path, { offset: 2 ** 42, size: 6 });
    expect(Buffer.from(key).toString()).toBe("secret");
  });

  test.skipIf(process.platform === "win32")("in a FIFO is found by reading it", async () => {
    const path = join(folder, "fifo");
    execFileSync("mkfifo", [path]);
    const writing = writeFile(path, Buffer.concat([Buffer.alloc(200_000), Buffer.from("secret, and more")]));
    expect(Buffer.from(await readKeyFile(path, { offset: 200_000, size: 6 })).toString()).toBe("secret");
    await writing.catch(() => undefined);
  });

  test.skipIf(!existsSync("/dev/zero"))("without end is refused", async () => {
    const line = "/dev/zero: it has more than 8 MiB, too many for a key file";
    expect(await failureOf(readPassphraseFile("/dev/zero"))).toEqual({ code: "CEV_INVALID", line });
  });
});

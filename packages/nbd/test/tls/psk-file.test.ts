import { Buffer } from "node:buffer";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parsePskLines, pskOf, readPskFile } from "../../src/tls/psk-file.ts";

const KEY = "00112233445566778899aabbccddeeff";

const parse = (text: string): ReadonlyMap<string, Uint8Array> => parsePskLines(Buffer.from(text), "keys");

test("lines are names and keys, with any ends, and empty ones between", () => {
  const keys = parse(`alice:${KEY}\r\n\nbob:${KEY.toUpperCase()}${KEY}`);
  expect([...keys.keys()]).toEqual(["alice", "bob"]);
  expect(Buffer.from(keys.get("alice")!).toString("hex")).toBe(KEY);
  expect(Buffer.from(keys.get("bob")!).toString("hex")).toBe(KEY + KEY);
  expect(() => pskOf(keys, "carol", "keys")).toThrow(
    expect.objectContaining({ code: "CEV_NOT_FOUND" }) as Error,
  );
});

test.for([
  ["no line", ""],
  ["no colon", `alice${KEY}`],
  ["no name", `:${KEY}`],
  ["no digits", `alice:${"zz".repeat(16)}`],
  ["half a byte", `alice:${KEY}0`],
  ["a short key", "alice:0011"],
  ["a name twice", `alice:${KEY}\nalice:${KEY}`],
])("%s is refused, and the error repeats nothing of the key", ([, text]) => {
  try {
    parse(text!);
    expect.unreachable();
  } catch (error) {
    expect(error).toMatchObject({ code: "CEV_INVALID" });
    expect(String(error)).not.toMatch(/0011|zz/);
  }
});

test("a file that is not there is said to be not there", async () => {
  const folder = mkdtempSync(join(tmpdir(), "cev-psk-"));
  await expect(readPskFile(join(folder, "none"))).rejects.toMatchObject({ code: "CEV_NOT_FOUND" });
  writeFileSync(join(folder, "keys"), `alice:${KEY}\n`);
  expect((await readPskFile(join(folder, "keys"))).size).toBe(1);
  rmSync(folder, { recursive: true });
});

import { Buffer } from "node:buffer";
import { readFile } from "node:fs/promises";
import { CevError } from "@cev/core";
import { fileError } from "./certificate-folder.ts";

const LENGTH_MAX = 1_048_576;
const KEY_LENGTH_MIN = 16;
// More is more than OpenSSL takes.
const KEY_LENGTH_MAX = 256;
const NAME_LENGTH_MAX = 128;
const COLON = 0x3a;
const NEWLINE = 0x0a;
const RETURN = 0x0d;

/**
 * Reads a file of keys that both sides have, as `psktool` writes it and nbdkit, QEMU and libnbd read it: lines of
 * `name:hexadecimal key`. Fails with `CEV_NOT_FOUND`, `CEV_ACCESS`, `CEV_INVALID`, and tells the line but nothing of what is in it.
 */
export async function readPskFile(path: string): Promise<ReadonlyMap<string, Uint8Array>> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw fileError(path, cause);
  }
  try {
    if (bytes.length > LENGTH_MAX) throw new CevError("CEV_INVALID", "it is too long", { source: path });
    return parsePskLines(bytes, path);
  } finally {
    bytes.fill(0);
  }
}

/** Parses such lines; `source` is for errors. */
export function parsePskLines(bytes: Uint8Array, source: string): ReadonlyMap<string, Uint8Array> {
  const keys = new Map<string, Uint8Array>();
  let lineNumber = 0;
  for (let start = 0; start < bytes.length;) {
    lineNumber++;
    const newline = bytes.indexOf(NEWLINE, start);
    const next = newline < 0 ? bytes.length : newline + 1;
    let end = newline < 0 ? bytes.length : newline;
    if (end > start && bytes[end - 1] === RETURN) end--;
    const line = bytes.subarray(start, end);
    start = next;
    if (line.length === 0) continue;
    const place = `${source}, line ${lineNumber}`;
    const colon = line.indexOf(COLON);
    if (colon < 1 || colon > NAME_LENGTH_MAX)
      throw invalid(place, "a line is a name, a colon and a key in hexadecimal digits");
    const name = Buffer.from(line.subarray(0, colon)).toString("utf8");
    const key = decodeHex(line.subarray(colon + 1));
    if (key === null) throw invalid(place, "the key is not in hexadecimal digits, two for each byte");
    if (key.length < KEY_LENGTH_MIN || key.length > KEY_LENGTH_MAX)
      throw invalid(place, `the key has ${key.length} bytes, and should have 16 to 256`);
    if (keys.has(name)) throw invalid(place, `${JSON.stringify(name)} has a key already`);
    keys.set(name, key);
  }
  if (keys.size === 0) throw invalid(source, "there is no key in it");
  return keys;
}

/** The key of one name. Throws `CEV_NOT_FOUND`. */
export function pskOf(
  keys: ReadonlyMap<string, Uint8Array>,
  username: string,
  source: string,
): { readonly username: string; readonly key: Uint8Array } {
  const key = keys.get(username);
  if (key === undefined)
    throw new CevError("CEV_NOT_FOUND", `there is no key for ${JSON.stringify(username)}`, { source });
  return { username, key };
}

/** Digit by digit: a string of the key could not be wiped. */
function decodeHex(digits: Uint8Array): Uint8Array | null {
  if (digits.length % 2 !== 0) return null;
  const bytes = new Uint8Array(digits.length / 2);
  for (let index = 0; index < bytes.length; index++) {
    const high = digitOf(digits[2 * index]!);
    const low = digitOf(digits[2 * index + 1]!);
    if (high < 0 || low < 0) return null;
    bytes[index] = high * 16 + low;
  }
  return bytes;
}

function digitOf(character: number): number {
  if (character >= 0x30 && character <= 0x39) return character - 0x30;
  const letter = character | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

function invalid(source: string, message: string): CevError {
  return new CevError("CEV_INVALID", message, { source });
}

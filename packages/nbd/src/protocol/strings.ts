import { CevError } from "@cev/core";
import { STRING_LENGTH_MAX } from "./numbers.ts";

/** A string of the protocol, or null when it is too long, has a zero, or is not UTF-8. */
export function decodeString(bytes: Uint8Array): string | null {
  if (bytes.length > STRING_LENGTH_MAX || bytes.includes(0)) return null;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** The bytes of a string. Throws `CEV_INVALID`, which names `what`, where the protocol has no such string. */
export function encodeString(text: string, what: string): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length > STRING_LENGTH_MAX || text.includes("\0")) {
    throw new CevError(
      "CEV_INVALID",
      `${what} has ${bytes.length} bytes, of at most ${STRING_LENGTH_MAX} without a zero`,
    );
  }
  return bytes;
}

/**
 * What the other side says, for people: control characters as `\u{a}`, and as `\xff` every byte beyond ASCII where the whole is
 * not UTF-8.
 */
export function textForPeople(bytes: Uint8Array): string {
  const kept = bytes.subarray(0, STRING_LENGTH_MAX);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(kept);
  } catch {
    text = Array.from(kept, (byte) =>
      byte < 0x80 ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`,
    ).join("");
  }
  return text.replaceAll(/\p{Cc}/gu, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);
}

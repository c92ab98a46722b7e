const UUID_LENGTH = 16;
const utf8 = new TextDecoder("utf-8", { fatal: true });
const utf8Encoder = new TextEncoder();

/** A UUID as mdadm prints it: four groups of eight hexadecimal digits. */
export function formatUuid(bytes: Uint8Array, at: number): string {
  const digits: string[] = [];
  for (let index = 0; index < UUID_LENGTH; index++)
    digits.push((index % 4 === 0 && index > 0 ? ":" : "") + bytes[at + index]!.toString(16).padStart(2, "0"));
  return digits.join("");
}

/** The 16 bytes of a UUID, whatever stands between its digits; null when it is none. */
export function parseUuid(text: string): Uint8Array | null {
  const digits = text.replaceAll(/[:-]/g, "");
  if (!/^[0-9a-fA-F]{32}$/.test(digits)) return null;
  return Uint8Array.from({ length: UUID_LENGTH }, (_, index) =>
    Number.parseInt(digits.slice(2 * index, 2 * index + 2), 16),
  );
}

/**
 * A name from a field filled up with zeroes. Control characters, backslashes and what is not UTF-8 come as `\xNN`, so
 * that a name is safe to print and `encodeName` gives the same bytes back.
 */
export function formatName(bytes: Uint8Array, at: number, lengthMax: number): string {
  let end = at + lengthMax;
  while (end > at && bytes[end - 1] === 0) end--;
  const name = bytes.subarray(at, end);
  let text: string;
  try {
    text = utf8.decode(name);
  } catch {
    return [...name]
      .map((byte) => (byte < 0x80 ? escapeCharacter(String.fromCharCode(byte)) : hexOf(byte)))
      .join("");
  }
  // A byte order mark is dropped by the decoder: such a name is given byte for byte.
  if (utf8Encoder.encode(text).length !== name.length) return [...name].map(hexOf).join("");
  return Array.from(text, escapeCharacter).join("");
}

/** The bytes of a name that `formatName` gave. */
export function encodeName(name: string): Uint8Array {
  const bytes: number[] = [];
  for (const part of name.split(/(\\x[0-9a-f]{2})/)) {
    if (/^\\x[0-9a-f]{2}$/.test(part)) bytes.push(Number.parseInt(part.slice(2), 16));
    else bytes.push(...utf8Encoder.encode(part));
  }
  return Uint8Array.from(bytes);
}

function escapeCharacter(character: string): string {
  const code = character.codePointAt(0)!;
  if (code === 0x5c || code < 0x20 || code === 0x7f) return hexOf(code);
  // The second half of the control characters takes two bytes in UTF-8.
  return code >= 0x80 && code < 0xa0 ? [...utf8Encoder.encode(character)].map(hexOf).join("") : character;
}

function hexOf(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, "0")}`;
}

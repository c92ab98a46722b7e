import { isUtf8 } from "node:buffer";
import { MetadataError } from "@cev/core";

/** Where a JSON text came from, for errors. */
export interface JsonPlace {
  readonly source: string;
  readonly structure: string;
  /** Where the text begins in the source. */
  readonly byteOffset: number;
}

/** One value in a JSON text: where it stands there, and what it is made of. Strings and numbers are decoded when they are asked for. */
export interface JsonNode {
  readonly kind: "object" | "array" | "string" | "number" | "literal";
  /** Bytes of the text, from `start` up to `end`. */
  readonly start: number;
  readonly end: number;
  /** Of an array, or of an object in the order of its names. */
  readonly items: readonly JsonNode[] | null;
  /** Of an object's members. */
  readonly names: readonly string[] | null;
}

// A text of 4 MiB could hold two million values: a header has some hundred, and tokens may add their own.
const VALUES_MAX = 8192;
const NAME_LENGTH_MAX = 1024;
// As deep as the parser of cryptsetup goes.
const DEPTH_MAX = 31;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;

/**
 * Parses the JSON text (RFC 8259) at the beginning of `bytes`, up to the end of its only value; what follows is for the caller to judge.
 * The text is not trusted: it may hold 8192 values, 31 levels deep. Throws `CEV_BAD_METADATA` with the byte.
 */
export function parseJsonText(bytes: Uint8Array, place: JsonPlace): JsonNode {
  const end = bytes.indexOf(0);
  const text = end < 0 ? bytes : bytes.subarray(0, end);
  const parser = new Parser(text, place);
  if (!isUtf8(text)) throw parser.bad(0, "the text is not UTF-8");
  return parser.value(1);
}

/** What a string in the text says. */
export function decodeJsonString(node: JsonNode, bytes: Uint8Array): string {
  return decodeString(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), node.start, node.end);
}

/** The string between the quotes at `start` and before `end`. Most have no escapes, and cost nothing but themselves. */
function decodeString(text: Buffer, start: number, end: number): string {
  const inner = text.toString("utf8", start + 1, end - 1);
  return inner.includes("\\") ? (JSON.parse(`"${inner}"`) as string) : inner;
}

class Parser {
  readonly #text: Buffer;
  readonly #place: JsonPlace;
  /** What is empty takes no memory: a hostile text holds thousands of them. */
  readonly #nothing: readonly never[] = [];
  #at = 0;
  #valueCount = 0;

  constructor(text: Uint8Array, place: JsonPlace) {
    this.#text = Buffer.from(text.buffer, text.byteOffset, text.byteLength);
    this.#place = place;
  }

  bad(at: number, message: string): MetadataError {
    return new MetadataError(message, {
      ...this.#place,
      field: "JSON text",
      byteOffset: this.#place.byteOffset + at,
    });
  }

  value(depth: number): JsonNode {
    const start = this.#at;
    if (++this.#valueCount > VALUES_MAX) throw this.bad(start, `there are more than ${VALUES_MAX} values`);
    switch (this.#text[start]) {
      case 0x7b: {
        if (depth > DEPTH_MAX) throw this.bad(start, `values are nested more than ${DEPTH_MAX} deep`);
        return this.#object(depth);
      }
      case 0x5b: {
        if (depth > DEPTH_MAX) throw this.bad(start, `values are nested more than ${DEPTH_MAX} deep`);
        return this.#array(depth);
      }
      case QUOTE: {
        this.#skipString();
        return this.#leaf("string", start);
      }
      case 0x74:
        return this.#literal("true");
      case 0x66:
        return this.#literal("false");
      case 0x6e:
        return this.#literal("null");
      default: {
        this.#skipNumber();
        return this.#leaf("number", start);
      }
    }
  }

  #object(depth: number): JsonNode {
    const start = this.#at++;
    this.#skipSpace();
    if (this.#text[this.#at] === 0x7d) {
      this.#at++;
      return { kind: "object", start, end: this.#at, items: this.#nothing, names: this.#nothing };
    }
    // Begun with their first entry, arrays take memory for no more than they hold.
    const names = [this.#name()];
    const items = [this.#member(depth)];
    while (this.#isMore(0x7d, "a comma or the end of the object")) {
      names.push(this.#name());
      items.push(this.#member(depth));
    }
    return { kind: "object", start, end: this.#at, items, names };
  }

  /** What follows the name of a member. */
  #member(depth: number): JsonNode {
    this.#skipSpace();
    this.#expect(COLON, "a colon");
    this.#skipSpace();
    return this.value(depth + 1);
  }

  #array(depth: number): JsonNode {
    const start = this.#at++;
    this.#skipSpace();
    if (this.#text[this.#at] === 0x5d) {
      this.#at++;
      return { kind: "array", start, end: this.#at, items: this.#nothing, names: null };
    }
    const items = [this.value(depth + 1)];
    while (this.#isMore(0x5d, "a comma or the end of the array")) items.push(this.value(depth + 1));
    return { kind: "array", start, end: this.#at, items, names: null };
  }

  /** Behind an entry: true before the next one, false behind the end of the container. */
  #isMore(close: number, what: string): boolean {
    this.#skipSpace();
    if (this.#text[this.#at] === close) {
      this.#at++;
      return false;
    }
    this.#expect(COMMA, what);
    this.#skipSpace();
    return true;
  }

  #name(): string {
    const start = this.#at;
    if (this.#text[start] !== QUOTE)
      throw this.bad(start, "this is not JSON: the name of a member is missing");
    this.#skipString();
    if (this.#at - start > NAME_LENGTH_MAX)
      throw this.bad(start, `the name of a member is longer than ${NAME_LENGTH_MAX} bytes`);
    const name = decodeString(this.#text, start, this.#at);
    // To others such a name ends there, and is another one.
    if (name.includes("\0")) throw this.bad(start, "the name of a member holds a NUL");
    return name;
  }

  #leaf(kind: JsonNode["kind"], start: number): JsonNode {
    return { kind, start, end: this.#at, items: null, names: null };
  }

  #literal(text: string): JsonNode {
    const start = this.#at;
    for (let index = 0; index < text.length; index++)
      if (this.#text[start + index] !== text.codePointAt(index)) throw this.bad(start, "this is not JSON");
    this.#at += text.length;
    return this.#leaf("literal", start);
  }

  #skipSpace(): void {
    for (;;) {
      const byte = this.#text[this.#at];
      if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) return;
      this.#at++;
    }
  }

  #expect(byte: number, what: string): void {
    if (this.#text[this.#at] !== byte) throw this.bad(this.#at, `this is not JSON: ${what} is missing`);
    this.#at++;
  }

  #skipString(): void {
    const start = this.#at++;
    for (;;) {
      const byte = this.#text[this.#at];
      if (byte === undefined) throw this.bad(start, "this is not JSON: a string has no end");
      if (byte < 0x20) throw this.bad(this.#at, "this is not JSON: a control character in a string");
      this.#at++;
      if (byte === QUOTE) return;
      if (byte === BACKSLASH) this.#skipEscape();
    }
  }

  #skipEscape(): void {
    const escape = this.#text[this.#at++];
    if (escape === undefined || !ESCAPES.includes(escape))
      throw this.bad(this.#at - 2, "this is not JSON: no such escape in a string");
    if (escape !== 0x75) return;
    for (let digit = 0; digit < 4; digit++)
      if (!isHexDigit(this.#text[this.#at++]))
        throw this.bad(this.#at - 1, "this is not JSON: no such escape in a string");
  }

  #skipNumber(): void {
    const start = this.#at;
    if (this.#text[this.#at] === 0x2d) this.#at++;
    if (this.#text[this.#at] === 0x30) this.#at++;
    else this.#skipDigits(start);
    if (this.#text[this.#at] === 0x2e) {
      this.#at++;
      this.#skipDigits(start);
    }
    if (this.#text[this.#at] === 0x65 || this.#text[this.#at] === 0x45) {
      this.#at++;
      if (this.#text[this.#at] === 0x2b || this.#text[this.#at] === 0x2d) this.#at++;
      this.#skipDigits(start);
    }
  }

  /** At least one. */
  #skipDigits(start: number): void {
    if (!isDigit(this.#text[this.#at])) throw this.bad(start, "this is not JSON");
    while (isDigit(this.#text[this.#at])) this.#at++;
  }
}

/** `"`, `\`, `/`, b, f, n, r, t and u. */
const ESCAPES: readonly number[] = [QUOTE, BACKSLASH, 0x2f, 0x62, 0x66, 0x6e, 0x72, 0x74, 0x75];

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

function isHexDigit(byte: number | undefined): boolean {
  return isDigit(byte) || (byte !== undefined && (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66);
}

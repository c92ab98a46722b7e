/** A number with a point in it, kept as it was written: no key of LVM2's metadata that cev uses has one. */
export interface ConfigFloat {
  readonly float: string;
}

/** Integers past 2^53 - 1 are bigints, so that unknown keys survive a rewrite. */
export type ConfigScalar = string | number | bigint | ConfigFloat;
export type ConfigValue = ConfigScalar | readonly ConfigScalar[] | ConfigSection;

/** One key with its value, and where it stands in the text. */
export interface ConfigEntry {
  readonly value: ConfigValue;
  /** Characters from the start of the text to the key. */
  readonly offset: number;
}

/** `{ … }`, or the text as a whole: keys in the order they were written. */
export interface ConfigSection {
  readonly entries: ReadonlyMap<string, ConfigEntry>;
  readonly offset: number;
}

/** A text that cannot be accepted, with the place; lines and columns count from 1. */
export class TextError extends Error {
  override readonly name = "TextError";
  readonly offset: number;
  readonly line: number;
  readonly column: number;

  constructor(text: string, offset: number, message: string) {
    let line = 1;
    let start = 0;
    for (let end = text.indexOf("\n"); end >= 0 && end < offset; end = text.indexOf("\n", start)) {
      line++;
      start = end + 1;
    }
    const column = offset - start + 1;
    super(`line ${line}, column ${column}: ${message}`);
    this.offset = offset;
    this.line = line;
    this.column = column;
  }
}

/** LVM2 itself nests four deep. */
const DEPTH_MAX = 32;
const INTEGER_MIN = -(2n ** 63n);
const INTEGER_MAX = 2n ** 63n - 1n;

const WORD_LENGTH_MAX = 256;
const NUMBER = /^[-+]?(?:\d+(?:\.\d*)?|\.\d+)$/;

/** Codes of the characters that mean something. */
const CODE = {
  nul: 0,
  quote: 34,
  hash: 35,
  apostrophe: 39,
  comma: 44,
  zero: 48,
  nine: 57,
  equals: 61,
  open: 91,
  backslash: 92,
  close: 93,
  begin: 123,
  end: 125,
} as const;
/** With as many digits a number is exact. */
const DIGITS_MAX = 15;
/** Stands for the end of the text: no character has it. */
const END = -1;
/** What a character is outside strings, by its code; from 128 on all are parts of words. */
const IS_SPACE = 1;
const ENDS_WORD = 2;
const KINDS: Uint8Array = kinds();

function kinds(): Uint8Array {
  const table = new Uint8Array(128);
  for (const mark of " \n\t\r\v\f") table[mark.charCodeAt(0)] = IS_SPACE | ENDS_WORD;
  for (const mark of `#="'{}[],\0`) table[mark.charCodeAt(0)]! |= ENDS_WORD;
  return table;
}

/**
 * Parses LVM2's configuration text: sections, keys with integers, floats, strings or arrays of those, comments.
 * Throws a `TextError`. Duplicate keys, nesting beyond 32 and integers beyond 64 bits are refused.
 */
export function parseText(text: string): ConfigSection {
  return new Parser(text).parse();
}

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): ConfigSection {
    const root = this.#section(0, 0);
    if (this.#at < this.#text.length) this.#fail("a section ends here that did not begin");
    return root;
  }

  /** Entries up to the closing brace or the end of the text, neither of which is taken. */
  #section(offset: number, depth: number): ConfigSection {
    const entries = new Map<string, ConfigEntry>();
    for (;;) {
      this.#skipSpace();
      const mark = this.#peek();
      if (mark === END || mark === CODE.end) return { entries, offset };
      const keyAt = this.#at;
      const key = this.#key();
      if (entries.has(key)) this.#fail(`the key ${show(key)} stands here a second time`, keyAt);
      this.#skipSpace();
      entries.set(key, { offset: keyAt, value: this.#keyed(depth) });
    }
  }

  #keyed(depth: number): ConfigValue {
    const start = this.#at;
    const mark = this.#peek();
    if (mark === CODE.begin) {
      if (depth >= DEPTH_MAX) this.#fail(`sections are nested more than ${DEPTH_MAX} deep`);
      this.#at++;
      const section = this.#section(start, depth + 1);
      if (this.#peek() !== CODE.end) this.#fail("the section that begins here does not end", start);
      this.#at++;
      return section;
    }
    if (mark !== CODE.equals) this.#fail("a key is followed by = or {");
    this.#at++;
    this.#skipSpace();
    return this.#peek() === CODE.open ? this.#array() : this.#scalar();
  }

  #array(): ConfigScalar[] {
    const start = this.#at++;
    const values: ConfigScalar[] = [];
    for (;;) {
      this.#skipSpace();
      if (this.#peek() === CODE.close) {
        this.#at++;
        return values;
      }
      if (this.#at >= this.#text.length) this.#fail("the list that begins here does not end", start);
      values.push(this.#scalar());
      this.#skipSpace();
      const mark = this.#peek();
      if (mark === CODE.comma) this.#at++;
      else if (mark !== CODE.close && mark !== END) this.#fail("values of a list are followed by , or ]");
    }
  }

  #scalar(): ConfigScalar {
    const mark = this.#peek();
    if (mark === CODE.quote || mark === CODE.apostrophe) return this.#string();
    const start = this.#at;
    const count = this.#digits();
    if (count >= 0) return count;
    const word = this.#word();
    if (!NUMBER.test(word)) this.#fail("a value is a number, a string in quotes or a list", start);
    if (word.includes(".")) return { float: word };
    const small = Number(word);
    // Zero with a sign is zero.
    if (Number.isSafeInteger(small)) return small + 0;
    const large = word.length > 20 ? null : BigInt(word);
    if (large === null || large < INTEGER_MIN || large > INTEGER_MAX)
      this.#fail("the number does not fit in 64 bits", start);
    return large;
  }

  /** The usual number, of a few digits only; -1, and nothing taken: there is none. */
  #digits(): number {
    const start = this.#at;
    let value = 0;
    for (let code = this.#peek(); code >= CODE.zero && code <= CODE.nine; code = this.#peek()) {
      value = value * 10 + code - CODE.zero;
      this.#at++;
    }
    const code = this.#peek();
    const isWord = code >= 128 || (code !== END && (KINDS[code]! & ENDS_WORD) === 0);
    if (this.#at > start && this.#at - start <= DIGITS_MAX && !isWord) return value;
    this.#at = start;
    return -1;
  }

  #key(): string {
    const mark = this.#peek();
    if (mark === CODE.quote || mark === CODE.apostrophe) return this.#string();
    const word = this.#word();
    if (word === "") this.#fail("a key or the end of a section belongs here");
    return word;
  }

  #string(): string {
    const start = this.#at++;
    const quote = this.#text.charCodeAt(start);
    const hasGuards = quote === CODE.quote;
    let parts = "";
    let from = this.#at;
    for (;;) {
      const mark = this.#peek();
      if (mark === END || mark === CODE.nul) this.#fail("the string that begins here does not end", start);
      if (mark === quote) break;
      if (mark === CODE.backslash && hasGuards) {
        // What a backslash guards stands for itself.
        parts += this.#text.slice(from, this.#at);
        from = ++this.#at;
        if (this.#peek() === CODE.nul) continue;
      }
      this.#at++;
    }
    parts += this.#text.slice(from, this.#at);
    this.#at++;
    return parts;
  }

  /** A run of characters that may stand in a key or a number; empty where there is none. */
  #word(): string {
    const start = this.#at;
    for (let code = this.#peek(); code !== END; code = this.#peek()) {
      if (code < 128 && (KINDS[code]! & ENDS_WORD) !== 0) break;
      this.#at++;
      if (this.#at - start > WORD_LENGTH_MAX) this.#fail("no key or number is that long", start);
    }
    return this.#text.slice(start, this.#at);
  }

  #skipSpace(): void {
    for (;;) {
      const code = this.#peek();
      if (code === CODE.hash) {
        const end = this.#text.indexOf("\n", this.#at);
        this.#at = end < 0 ? this.#text.length : end;
      } else if (code !== END && code < 128 && (KINDS[code]! & IS_SPACE) !== 0) {
        this.#at++;
      } else {
        return;
      }
    }
  }

  /** The code of the next character, or `END`. */
  #peek(): number {
    return this.#at < this.#text.length ? this.#text.charCodeAt(this.#at) : END;
  }

  #fail(message: string, offset: number = this.#at): never {
    throw new TextError(this.#text, offset, message);
  }
}

/** What comes from a disk is shown without its control characters, and not at any length. */
export function show(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}

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
const SPACES = " \n\t\r\v\f";
// The empty string, which stands for the end of the text, is part of every string.
const WORD_ENDS = ` \n\t\r\v\f#="'{}[],\0`;
const NUMBER = /^[-+]?(?:\d+(?:\.\d*)?|\.\d+)$/;

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
      if (this.#at >= this.#text.length || this.#peek() === "}") return { entries, offset };
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
    if (mark === "{") {
      if (depth >= DEPTH_MAX) this.#fail(`sections are nested more than ${DEPTH_MAX} deep`);
      this.#at++;
      const section = this.#section(start, depth + 1);
      if (this.#peek() !== "}") this.#fail("the section that begins here does not end", start);
      this.#at++;
      return section;
    }
    if (mark !== "=") this.#fail("a key is followed by = or {");
    this.#at++;
    this.#skipSpace();
    return this.#peek() === "[" ? this.#array() : this.#scalar();
  }

  #array(): ConfigScalar[] {
    const start = this.#at++;
    const values: ConfigScalar[] = [];
    for (;;) {
      this.#skipSpace();
      if (this.#peek() === "]") {
        this.#at++;
        return values;
      }
      if (this.#at >= this.#text.length) this.#fail("the list that begins here does not end", start);
      values.push(this.#scalar());
      this.#skipSpace();
      const mark = this.#peek();
      if (mark === ",") this.#at++;
      else if (mark !== "]" && mark !== "") this.#fail("values of a list are followed by , or ]");
    }
  }

  #scalar(): ConfigScalar {
    const mark = this.#peek();
    if (mark === '"' || mark === "'") return this.#string();
    const start = this.#at;
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

  #key(): string {
    if (this.#peek() === '"' || this.#peek() === "'") return this.#string();
    const word = this.#word();
    if (word === "") this.#fail("a key or the end of a section belongs here");
    return word;
  }

  #string(): string {
    const start = this.#at++;
    const quote = this.#text.charAt(start);
    const parts: string[] = [];
    let from = this.#at;
    for (;;) {
      const mark = this.#peek();
      if (mark === "" || mark === "\0") this.#fail("the string that begins here does not end", start);
      if (mark === quote) break;
      if (mark === "\\" && quote === '"') {
        // What a backslash guards stands for itself.
        parts.push(this.#text.slice(from, this.#at));
        from = ++this.#at;
        if (this.#peek() === "\0") continue;
      }
      this.#at++;
    }
    parts.push(this.#text.slice(from, this.#at));
    this.#at++;
    return parts.join("");
  }

  /** A run of characters that may stand in a key or a number; empty where there is none. */
  #word(): string {
    const start = this.#at;
    while (!WORD_ENDS.includes(this.#peek())) {
      this.#at++;
      if (this.#at - start > WORD_LENGTH_MAX) this.#fail("no key or number is that long", start);
    }
    return this.#text.slice(start, this.#at);
  }

  #skipSpace(): void {
    for (;;) {
      const mark = this.#peek();
      if (mark === "#") {
        const end = this.#text.indexOf("\n", this.#at);
        this.#at = end < 0 ? this.#text.length : end;
      } else if (mark !== "" && SPACES.includes(mark)) {
        this.#at++;
      } else {
        return;
      }
    }
  }

  #peek(): string {
    return this.#text.charAt(this.#at);
  }

  #fail(message: string, offset: number = this.#at): never {
    throw new TextError(this.#text, offset, message);
  }
}

/** What comes from a disk is shown without its control characters, and not at any length. */
export function show(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}

import { TextError, show } from "./parser.ts";
import type { ConfigEntry, ConfigScalar, ConfigSection } from "./parser.ts";
import { isList, isSection } from "./writer.ts";
import { isDashedUuid } from "../disk/uuid.ts";

/** Characters and lengths LVM2 allows in names of groups and volumes. */
const NAME_PATTERN = /^[A-Za-z0-9+_.][A-Za-z0-9+_.-]{0,126}$/;

/** True for a name that LVM2 would let a group or volume have. */
export function isValidName(name: string): boolean {
  return NAME_PATTERN.test(name) && name !== "." && name !== "..";
}

/** Takes typed values out of a section; what is missing or of another type is a `TextError` with its place. */
export class SectionReader {
  readonly text: string;
  readonly section: ConfigSection;
  /** What the section is, for messages: `logical volume "root"`. */
  readonly subject: string;

  constructor(text: string, section: ConfigSection, subject: string) {
    this.text = text;
    this.section = section;
    this.subject = subject;
  }

  has(key: string): boolean {
    return this.section.entries.has(key);
  }

  /** A whole number within bounds; `fallback`: what a missing key means. */
  integer(key: string, min: number, max: number, fallback?: number): number {
    const entry = this.section.entries.get(key);
    if (entry === undefined && fallback !== undefined) return fallback;
    const { value } = entry ?? this.#missing(key);
    if (typeof value !== "number" && typeof value !== "bigint") this.fail(key, "is not a whole number");
    // What is past 2^53 is kept as a bigint, and past every bound.
    if (typeof value === "bigint" || value < min || value > max)
      this.fail(key, `is ${value}, which is not from ${min} to ${max}`);
    return value;
  }

  string(key: string, fallback?: string): string {
    const entry = this.section.entries.get(key);
    if (entry === undefined && fallback !== undefined) return fallback;
    const { value } = entry ?? this.#missing(key);
    if (typeof value !== "string") this.fail(key, "is not a string");
    return value;
  }

  uuid(key: string): string {
    const uuid = this.string(key);
    if (!isDashedUuid(uuid)) this.fail(key, "is not a UUID");
    return uuid;
  }

  /** A list of strings; a single string is a list of one. Missing: empty. */
  strings(key: string): readonly string[] {
    return this.list(key).map((value) => {
      if (typeof value !== "string") this.fail(key, "is not a list of strings");
      return value;
    });
  }

  list(key: string): readonly ConfigScalar[] {
    const entry = this.section.entries.get(key);
    if (entry === undefined) return [];
    if (isSection(entry.value)) this.fail(key, "is not a list");
    return isList(entry.value) ? entry.value : [entry.value];
  }

  /** A section within; missing: null. */
  child(key: string, subject: string): SectionReader | null {
    const entry = this.section.entries.get(key);
    if (entry === undefined) return null;
    if (!isSection(entry.value)) this.fail(key, "is not a section");
    return new SectionReader(this.text, entry.value, subject);
  }

  /** All sections within, by name; `what` they are goes into their subjects. */
  children(
    what: string,
  ): { readonly name: string; readonly offset: number; readonly reader: SectionReader }[] {
    return [...this.section.entries].flatMap(([name, { value, offset }]) =>
      isSection(value)
        ? [{ name, offset, reader: new SectionReader(this.text, value, `${what} ${show(name)}`) }]
        : [],
    );
  }

  /** Fails with the place of a key. */
  fail(key: string, message: string): never {
    this.failAt(
      this.section.entries.get(key)?.offset ?? this.section.offset,
      `${key} of ${this.subject} ${message}`,
    );
  }

  failAt(offset: number, message: string): never {
    throw new TextError(this.text, offset, message);
  }

  #missing(key: string): ConfigEntry {
    this.failAt(this.section.offset, `${this.subject} has no ${key}`);
  }
}

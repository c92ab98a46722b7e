import { assert } from "@cev/core";
import type { ConfigScalar, ConfigSection, ConfigValue } from "./parser.ts";

const BARE_KEY = /^[\w.+-]{1,128}$/;

/** Writes what `parseText` reads: `parseText(writeText(section))` has the same entries in the same order. */
export function writeText(section: ConfigSection): string {
  const lines: string[] = [];
  writeEntries(section, lines);
  return lines.join("");
}

function writeEntries(section: ConfigSection, lines: string[]): void {
  for (const [key, { value }] of section.entries) {
    const name = writeKey(key);
    if (isSection(value)) {
      lines.push(`${name} {\n`);
      writeEntries(value, lines);
      lines.push("}\n");
    } else {
      lines.push(`${name} = ${writeValue(value)}\n`);
    }
  }
}

/** A key, in quotes where it needs them. */
export function writeKey(key: string): string {
  return BARE_KEY.test(key) ? key : writeString(key);
}

/** What stands behind `key = `. */
export function writeValue(value: ConfigScalar | readonly ConfigScalar[]): string {
  return isList(value) ? `[${value.map(writeScalar).join(", ")}]` : writeScalar(value);
}

/** One value: a number, or a string in quotes. */
export function writeScalar(value: ConfigScalar): string {
  if (typeof value === "string") return writeString(value);
  if (typeof value === "number") {
    assert(Number.isSafeInteger(value), "numbers of the metadata are whole; others are kept as written");
    return String(value);
  }
  return typeof value === "bigint" ? String(value) : value.float;
}

function writeString(text: string): string {
  assert(!text.includes("\0"), "the text ends at its first NUL");
  return `"${text.replaceAll(/["\\]/g, "\\$&")}"`;
}

/** True for `{ … }`. */
export function isSection(value: ConfigValue): value is ConfigSection {
  return typeof value === "object" && "entries" in value && value.entries instanceof Map;
}

/** True for `[ … ]`. */
export function isList(value: ConfigValue): value is readonly ConfigScalar[] {
  return Array.isArray(value);
}

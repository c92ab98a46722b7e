import { CevError, ERROR_CODES, isCevError } from "@cev/core";
import type { ErrorCode, Json } from "@cev/core";

/** An error as it is sent. */
export interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly source: string | null;
  readonly hint: string | null;
}

/** Characters of a line; more than any message has. */
const LINE_LENGTH_MAX = 1 << 20;

/** Cuts what arrives into lines. Throws `CEV_PROTOCOL` for a line without end. */
export class LineReader {
  #text = "";

  /** The lines that are complete now. */
  take(text: string): string[] {
    const lines = (this.#text + text).split("\n");
    this.#text = lines.pop()!;
    if (this.#text.length > LINE_LENGTH_MAX) throw new CevError("CEV_PROTOCOL", "a line has no end");
    return lines;
  }
}

/** Reads a line that is an object. Throws `CEV_PROTOCOL`. */
export function parseObject(line: string): { readonly [key: string]: Json } {
  let value: unknown = null;
  try {
    value = JSON.parse(line);
  } catch {
    // Said below, as for anything else that is no object.
  }
  if (!isObject(value)) throw new CevError("CEV_PROTOCOL", "it is not a line of this protocol");
  return value;
}

/** True for what is an object, and no list. */
export const isObject = (value: unknown): value is { readonly [key: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** An error, to be sent. */
export function wireError(error: unknown): WireError {
  if (!isCevError(error)) {
    const message = error instanceof Error ? error.message : String(error);
    return { code: "CEV_PROGRAM", message, source: null, hint: null };
  }
  const { source, hint } = error.place;
  return { code: error.code, message: error.message, source: source ?? null, hint: hint ?? null };
}

/** The error that was sent. */
export function sentError({ code, message, source, hint }: WireError): CevError {
  const known = Object.hasOwn(ERROR_CODES, code) ? code : "CEV_PROTOCOL";
  return new CevError(known, message, {
    ...(source === null ? {} : { source }),
    ...(hint === null ? {} : { hint }),
  });
}

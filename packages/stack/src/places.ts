import { CevError, isCevError } from "@cev/core";
import type { ErrorCode } from "@cev/core";

/** An error about a place in a stack's description: `stack.yaml: devices.r5.members[1]: there is no device d9`. */
export function descriptionError(
  code: ErrorCode,
  source: string,
  path: string,
  message: string,
  options: { readonly hint?: string; readonly cause?: unknown } = {},
): CevError {
  return new CevError(code, message, { source: `${source}: ${path}`, ...options });
}

/** `devices.r5.members[1]`. */
export function pathText(keys: readonly PropertyKey[]): string {
  let text = "";
  for (const key of keys) {
    if (typeof key === "number") text += `[${key}]`;
    else if (text === "") text = quoteIfNeeded(String(key));
    else text += `.${quoteIfNeeded(String(key))}`;
  }
  return text;
}

/** The same error, with the place in the description in front unless it is there already. */
export function placed(error: unknown, source: string, path: string): unknown {
  if (!isCevError(error)) return error;
  const own = error.place.source;
  if (own?.startsWith(`${source}: `) === true) return error;
  return new CevError(error.code, error.message, {
    ...error.place,
    source: `${source}: ${path}${own === undefined ? "" : `: ${own}`}`,
    cause: error,
  });
}

// Names with dots or spaces in a path would be read as something else.
const quoteIfNeeded = (key: string): string => (/^[\w@/*:-]+$/.test(key) ? key : JSON.stringify(key));

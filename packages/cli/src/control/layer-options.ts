import type { Json } from "@cev/core";
import { UsageError } from "../usage-error.ts";

/** Reads `--options JSON` and `--option KEY=VALUE`, in which a value that is no JSON is text. Throws a `UsageError`. */
export function layerOptions(
  json: string | undefined,
  pairs: readonly string[] = [],
): { readonly [key: string]: Json } {
  const entries = pairs.map((pair): [string, Json] => {
    const at = pair.indexOf("=");
    if (at <= 0) throw new UsageError(`--option takes KEY=VALUE, not ${pair}`);
    return [pair.slice(0, at), valueOf(pair.slice(at + 1))];
  });
  return { ...(json === undefined ? {} : objectOf(json)), ...Object.fromEntries(entries) };
}

function objectOf(text: string): { readonly [key: string]: Json } {
  const value = parsed(text);
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new UsageError(`--options takes a JSON object, such as '{"delayMs": 5}'`);
  return value as { readonly [key: string]: Json };
}

function valueOf(text: string): Json {
  const value = parsed(text);
  return value === undefined ? text : value;
}

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

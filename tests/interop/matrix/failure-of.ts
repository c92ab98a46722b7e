import { formatError, isCevError } from "@cev/core";

/** An error as one failure of a case: those of the world by their text, those of the program with their place. */
export function failureOf(error: unknown): string {
  if (error instanceof SuppressedError)
    return `${failureOf(error.suppressed)}; and then: ${failureOf(error.error)}`;
  if (isCevError(error) && error.code !== "CEV_PROGRAM") return `${error.code}: ${formatError(error)}`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

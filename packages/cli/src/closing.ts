import { formatError } from "@cev/core";
import { complain, debug } from "./output.ts";

/** What was opened. */
export interface Closable {
  close(): void | Promise<void>;
}

/**
 * Does some work on what is open, and closes it in any case. Where both fail it throws what the work threw: what closing
 * says besides is a warning, unless it says the same.
 */
export async function closing<Result>(open: Closable, work: () => Promise<Result>): Promise<Result> {
  let result: Result;
  try {
    result = await work();
  } catch (error) {
    try {
      await open.close();
    } catch (later) {
      warnOfClosing(later, error);
    }
    throw error;
  }
  await open.close();
  return result;
}

function warnOfClosing(later: unknown, first: unknown): void {
  const line = formatError(later);
  if (line === formatError(first)) return;
  complain(`warning: it could not be closed either: ${line}`);
  debug(later);
}

import { CevError, isCevError } from "@cev/core";
import type { AbortSignalLike, KeySource } from "@cev/core";
import { wipe } from "./key/secret.ts";

/** How often a person is asked before it is given up, as by cryptsetup. */
const ATTEMPTS_MAX = 3;

/** Whom to ask for the key of which lock. */
export interface Asking {
  readonly ask: KeySource["ask"] | undefined;
  /** The lock, as people know it. */
  readonly name: string;
  readonly signal: AbortSignalLike | undefined;
}

/**
 * Opens a lock with keys that are there; where none was given a person is asked, until an answer fits. `open` throws
 * `CEV_KEY_REQUIRED` without a key and `CEV_WRONG_KEY` with one that does not fit. Answers are wiped.
 */
export async function withAnswers<Opened>(
  keys: readonly Uint8Array[],
  { ask, name, signal }: Asking,
  open: (keys: readonly Uint8Array[]) => Promise<Opened>,
): Promise<Opened> {
  let failure: unknown;
  try {
    return await open(keys);
  } catch (error) {
    if (!hasCode(error, "CEV_KEY_REQUIRED") || ask === undefined) throw error;
    failure = error;
  }
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    if (signal?.aborted === true) throw new CevError("CEV_CANCELLED", "asking for a key was cancelled");
    const answer = await ask({ name, attempt });
    if (answer === null) throw failure;
    try {
      return await open([answer]);
    } catch (error) {
      if (!hasCode(error, "CEV_WRONG_KEY")) throw error;
      failure = error;
    } finally {
      wipe(answer);
    }
  }
  throw failure;
}

const hasCode = (error: unknown, code: string): boolean => isCevError(error) && error.code === code;

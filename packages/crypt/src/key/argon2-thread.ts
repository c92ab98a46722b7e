import { CevError, isCevError } from "@cev/core";
import type { AbortSignalLike } from "@cev/core";
import type { Argon2Derivation } from "./native-kdf.ts";
import { runInThread } from "./thread.ts";

/** What the thread is asked to do. */
export interface Argon2Request extends Argon2Derivation {
  readonly passphrase: Uint8Array;
}

/**
 * Runs argon2 as WebAssembly in a thread of its own, which is terminated when `signal` fires: for versions of Node without an
 * argon2 of their own. Throws `CEV_NOT_SUPPORTED` for an empty passphrase, which the library does not take, and `CEV_NO_MEMORY`.
 */
export async function argon2InWorker(request: Argon2Request, signal?: AbortSignalLike): Promise<Uint8Array> {
  if (request.passphrase.length === 0) {
    const hint = "Node.js 24.7 and later can";
    throw new CevError("CEV_NOT_SUPPORTED", "argon2 of an empty passphrase cannot be had here", { hint });
  }
  try {
    return await runInThread("argon2-worker", request, signal);
  } catch (error) {
    if (isCevError(error)) throw error;
    // All numbers were checked before: what is left to go wrong is memory.
    const message = `argon2 over ${request.memoryKibibytes} KiB failed`;
    throw new CevError("CEV_NO_MEMORY", message, { hint: "is so much memory free?", cause: error });
  }
}

import { Worker } from "node:worker_threads";
import { CevError } from "@cev/core";
import type { AbortSignalLike } from "@cev/core";
import type { Argon2Derivation } from "./native-kdf.ts";

/** What the thread is asked to do. */
export interface Argon2Request extends Argon2Derivation {
  readonly passphrase: Uint8Array;
}

/**
 * Runs argon2 as WebAssembly in a thread of its own, which is terminated when `signal` fires: for versions of Node without an argon2 of
 * their own. Throws `CEV_NOT_SUPPORTED` for an empty passphrase, which the library does not take.
 */
export async function argon2InWorker(request: Argon2Request, signal?: AbortSignalLike): Promise<Uint8Array> {
  if (request.passphrase.length === 0) {
    const hint = "Node.js 24.7 and later can";
    throw new CevError("CEV_NOT_SUPPORTED", "argon2 of an empty passphrase cannot be had here", { hint });
  }
  // The worker lies beside this file: as TypeScript in the sources, compiled in the published package.
  const suffix = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const worker = new Worker(new URL(`./argon2-worker.${suffix}`, import.meta.url), { workerData: request });
  const stop = (): void => void worker.terminate();
  signal?.addEventListener("abort", stop);
  try {
    return await new Promise((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
      worker.once("exit", (status) => {
        if (signal?.aborted === true) reject(new CevError("CEV_CANCELLED", "deriving the key was cancelled"));
        else reject(new Error(`the argon2 worker ended with status ${status}`));
      });
    });
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

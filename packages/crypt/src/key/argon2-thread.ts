import { Worker } from "node:worker_threads";
import { CevError } from "@cev/core";

/** What argon2 is asked to do. */
export interface Argon2Request {
  readonly type: "argon2i" | "argon2id";
  readonly passphrase: Uint8Array;
  readonly salt: Uint8Array;
  readonly passes: number;
  readonly memoryKibibytes: number;
  readonly lanes: number;
  /** Bytes of the key. */
  readonly length: number;
}

/**
 * Runs argon2 as WebAssembly in a thread of its own: for versions of Node without an argon2 of their own. Throws
 * `CEV_NOT_SUPPORTED` for an empty passphrase, which the library does not take.
 */
export async function argon2InWorker(request: Argon2Request): Promise<Uint8Array> {
  if (request.passphrase.length === 0) {
    const hint = "Node.js 24.7 and later can";
    throw new CevError("CEV_NOT_SUPPORTED", "argon2 of an empty passphrase cannot be had here", { hint });
  }
  // The worker lies beside this file: as TypeScript in the sources, compiled in the published package.
  const suffix = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const worker = new Worker(new URL(`./argon2-worker.${suffix}`, import.meta.url), { workerData: request });
  return new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
    worker.once("exit", (status) => reject(new Error(`the argon2 worker ended with status ${status}`)));
  });
}

import { Worker } from "node:worker_threads";
import { CevError } from "@cev/core";
import type { AbortSignalLike } from "@cev/core";

/** What a worker is asked: plain data beside these two. */
interface ThreadRequest {
  readonly passphrase: Uint8Array;
  readonly salt: Uint8Array;
}

/**
 * Runs one of the workers beside this file on a request, in a thread of its own that is terminated when `signal` fires. What it
 * runs must be JavaScript or WebAssembly: a native call would go on to its end.
 */
export async function runInThread(
  name: "argon2-worker" | "whirlpool-worker",
  request: ThreadRequest,
  signal?: AbortSignalLike,
): Promise<Uint8Array> {
  const { url } = import.meta;
  // As TypeScript in the sources, compiled in the published package.
  const program = new URL(`./${name}.${url.endsWith(".ts") ? "ts" : "js"}`, url);
  // What is posted is copied with all of the memory it lies in, and a small Buffer shares that with others, secrets among them.
  const passphrase = Uint8Array.from(request.passphrase);
  const salt = Uint8Array.from(request.salt);
  const worker = new Worker(program, {
    workerData: { ...request, passphrase, salt },
    // Moved, not copied: the thread wipes it.
    transferList: [passphrase.buffer],
  });
  const stop = (): void => void worker.terminate();
  signal?.addEventListener("abort", stop);
  try {
    return await new Promise((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
      worker.once("exit", (status) => {
        if (signal?.aborted === true) reject(new CevError("CEV_CANCELLED", "deriving the key was cancelled"));
        else reject(new Error(`the worker ended with status ${status}`));
      });
    });
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

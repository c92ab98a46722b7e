import { Worker } from "node:worker_threads";
import { CevError } from "@cev/core";
import type { AbortSignalLike } from "@cev/core";

/**
 * Runs one of the workers beside this file on a request, in a thread of its own that is terminated when `signal` fires. What it
 * runs must be JavaScript or WebAssembly: a native call would go on to its end.
 */
export async function runInThread(
  name: "argon2-worker" | "whirlpool-worker",
  request: object,
  signal?: AbortSignalLike,
): Promise<Uint8Array> {
  const { url } = import.meta;
  // As TypeScript in the sources, compiled in the published package.
  const program = new URL(`./${name}.${url.endsWith(".ts") ? "ts" : "js"}`, url);
  const worker = new Worker(program, { workerData: request });
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

import { parentPort, workerData } from "node:worker_threads";
import { argon2i, argon2id } from "hash-wasm";
import type { Argon2Request } from "./argon2-thread.ts";

const request = workerData as Argon2Request;
const derive = request.type === "argon2i" ? argon2i : argon2id;
const key = await derive({
  password: request.passphrase,
  salt: request.salt,
  iterations: request.passes,
  memorySize: request.memoryKibibytes,
  parallelism: request.lanes,
  hashLength: request.length,
  outputType: "binary",
});
parentPort?.postMessage(key);
// This thread's copies; the answer was copied when it was posted.
request.passphrase.fill(0);
key.fill(0);

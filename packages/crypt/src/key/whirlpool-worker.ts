import { parentPort, workerData } from "node:worker_threads";
import { whirlpoolPbkdf2 } from "./whirlpool-pbkdf2.ts";
import type { WhirlpoolPbkdf2 } from "./whirlpool-pbkdf2.ts";

const request = workerData as WhirlpoolPbkdf2;
const key = whirlpoolPbkdf2(request);
parentPort?.postMessage(key);
// This thread's copies; the answer was copied when it was posted.
request.passphrase.fill(0);
key.fill(0);

import { Worker } from "node:worker_threads";

const TITLE_MAX = 1024;
const PATIENCE_MS = 20_000;

// Runs beside a main thread that may be caught in a loop, and so has no other way to tell.
const WATCH = `
const { writeSync } = require("node:fs");
const { workerData } = require("node:worker_threads");
const counter = new Int32Array(workerData.shared, 0, 2);
let last = -1;
setInterval(() => {
  if (counter[0] === last) {
    const title = Buffer.from(new Uint8Array(workerData.shared, 8, counter[1])).toString();
    writeSync(2, "it does not end: " + title + "\\n");
    process.kill(process.pid, "SIGKILL");
  }
  last = counter[0];
}, ${PATIENCE_MS});
`;

/** Ends the process where one case takes all too long, also in a loop that never lets go, and says which. */
export class Watchdog implements Disposable {
  readonly #shared = new SharedArrayBuffer(8 + TITLE_MAX);
  readonly #counter: Int32Array;
  readonly #worker: Worker;

  constructor() {
    this.#counter = new Int32Array(this.#shared, 0, 2);
    this.#worker = new Worker(WATCH, { eval: true, workerData: { shared: this.#shared } });
    this.#worker.unref();
  }

  /** Another case begins. */
  begin(title: string): void {
    const bytes = Buffer.from(title).subarray(0, TITLE_MAX);
    new Uint8Array(this.#shared, 8, TITLE_MAX).set(bytes);
    this.#counter[1] = bytes.length;
    Atomics.add(this.#counter, 0, 1);
  }

  [Symbol.dispose](): void {
    void this.#worker.terminate();
  }
}

import { CevError, Op, ioError } from "@cev/core";
import type { FileCalls } from "./file-calls.ts";
import { codeOfErrno } from "./file-errors.ts";
import type { FileRequest } from "./file-request.ts";

/** Makes requests durable: those that wait share one sync, which begins after all of them came in. */
export class SyncGroup {
  readonly #name: string;
  #calls: FileCalls | null = null;
  readonly #release: (request: FileRequest) => void;
  readonly #waiting: FileRequest[] = [];
  readonly #running: FileRequest[] = [];
  #error: CevError | null = null;
  #fd = -1;

  /** `name`: of the layer, for errors. `release`: takes back a request that was completed elsewhere: cancelled while it waited. */
  constructor(name: string, release: (request: FileRequest) => void) {
    this.#name = name;
    this.#release = release;
  }

  /** A file was opened: what failed on the one before does not count. */
  begin(fd: number, calls: FileCalls): void {
    this.#fd = fd;
    this.#calls = calls;
    this.#error = null;
  }

  /** Waits for a sync that begins from now on: only that covers all that has been written so far. */
  add(request: FileRequest): void {
    request.state = "waiting";
    this.#waiting.push(request);
    if (this.#running.length === 0) this.#start();
  }

  #start(): void {
    for (const request of this.#waiting.splice(0)) {
      if (request.state === "ended") {
        this.#release(request);
      } else {
        request.state = "underWay";
        this.#running.push(request);
      }
    }
    if (this.#running.length > 0) this.#calls!.fdatasync(this.#fd, this.#ended);
  }

  readonly #ended = (error: NodeJS.ErrnoException | null): void => {
    const requests = this.#running.splice(0);
    if (error !== null && this.#error === null) {
      // The system forgets what it could not write, and the next sync would succeed without it: from here on none does.
      const code = codeOfErrno(error.code, Op.flush);
      const message = `written data could not be made durable (${error.code ?? error.message}), and what was lost is not known`;
      const io = requests.find((one) => one.io !== null)?.io ?? null;
      this.#error =
        io === null
          ? new CevError(code, message, { layer: this.#name, cause: error })
          : ioError(io, code, message, this.#name, error);
    }
    if (this.#waiting.length > 0) this.#start();
    for (const request of requests) {
      const { io } = request;
      if (io === null) {
        this.#release(request);
        continue;
      }
      if (this.#error !== null) io.transferred = 0;
      request.state = "done";
      io.complete(this.#error);
    }
  };
}

import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { createInterface } from "node:readline";

/** Speaks to the control socket of `cev serve`: lines of JSON. */
export class ControlClient implements Disposable {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #lastId = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    createInterface({ input: socket }).on("line", (line) => this.#take(line));
    socket.on("close", () => {
      for (const { reject } of this.#waiting.values()) reject(new Error("the server has gone"));
    });
  }

  static async to(path: string): Promise<ControlClient> {
    const socket = connect(path);
    await once(socket, "connect");
    return new ControlClient(socket);
  }

  /** Sends a request; gives its answer, or throws what the server said. */
  ask(request: Readonly<Record<string, unknown>>): Promise<unknown> {
    const id = ++this.#lastId;
    const outcome = Promise.withResolvers<unknown>();
    this.#waiting.set(id, outcome);
    this.#socket.write(`${JSON.stringify({ id, ...request })}\n`);
    return outcome.promise;
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #take(line: string): void {
    const message = JSON.parse(line) as {
      readonly id?: number;
      readonly answer?: unknown;
      readonly error?: { readonly code: string; readonly message: string };
    };
    const outcome = this.#waiting.get(message.id ?? 0);
    if (outcome === undefined || (message.answer === undefined && message.error === undefined)) return;
    this.#waiting.delete(message.id!);
    if (message.error === undefined) outcome.resolve(message.answer);
    else outcome.reject(new Error(`${message.error.code}: ${message.error.message}`));
  }
}

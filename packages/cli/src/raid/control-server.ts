import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { listenOn } from "@cev/nbd";
import type { ArraySession } from "./array-session.ts";
import type { ArrayRequest } from "./array-request.ts";
import { LineReader, wireError } from "../control/wire.ts";
import { PROTOCOL, PROTOCOL_VERSION, parseClientMessage } from "./control-protocol.ts";
import type { Hello, ServerMessage } from "./control-protocol.ts";

// Whoever may connect may stop the array: its owner alone.
const MODE = 0o600;

/** Takes requests for an array on a Unix socket: lines of JSON, one request at a time for each connection. */
export class ControlServer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #session: ArraySession;
  readonly #onStop: () => void;

  /** `onStop`: a client wants the array stopped. */
  constructor(session: ArraySession, onStop: () => void) {
    this.#session = session;
    this.#onStop = onStop;
    this.#server = createServer((socket) => this.#serve(socket));
  }

  async listen(path: string): Promise<void> {
    await listenOn(this.#server, { path, mode: MODE });
  }

  /** Takes no more requests; those under way are answered by nobody, and what they began goes on. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => void this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroySoon();
    await closed;
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    const leaving = new AbortController();
    socket.on("close", () => {
      this.#sockets.delete(socket);
      leaving.abort(new Error("the client has left"));
    });
    // A client that goes away is told of by "close".
    socket.on("error", () => undefined);
    const send = (message: Hello | ServerMessage): void => {
      if (socket.writable) socket.write(`${JSON.stringify(message)}\n`);
    };
    send({ protocol: PROTOCOL, version: PROTOCOL_VERSION, array: this.#session.array.record.name });
    const reader = new LineReader();
    let last = Promise.resolve();
    socket.setEncoding("utf8").on("data", (text: string) => {
      try {
        for (const line of reader.take(text)) {
          const request = parseClientMessage(line);
          last = last.then(() => this.#answer(request, send, leaving.signal));
        }
      } catch (error) {
        send({ error: wireError(error) });
        socket.destroySoon();
      }
    });
  }

  async #answer(
    request: ArrayRequest,
    send: (message: ServerMessage) => void,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      send({ answer: await this.#session.execute(request, (sync) => send({ sync }), signal) });
      if (request.command === "stop") this.#onStop();
    } catch (error) {
      send({ error: wireError(error) });
    }
  }
}

import { once } from "node:events";
import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { CevError, isCevError } from "@cev/core";
import type { Json } from "@cev/core";
import { listenOn } from "@cev/nbd";
import type { FileOwner } from "@cev/nbd";
import type { LiveStack } from "@cev/stack";
import { debug } from "../output.ts";
import { PROTOCOL, PROTOCOL_VERSION, checkRequest, idOf } from "./protocol.ts";
import type { Hello, ServerLine } from "./protocol.ts";
import { execute } from "./session.ts";
import { LineReader, wireError } from "./wire.ts";

// Whoever may connect may change the stack and run drivers in this process: its owner alone.
const MODE = 0o600;

/** Takes requests for a running stack on a Unix socket: lines of JSON, any number of requests at a time. */
export class StackControlServer {
  readonly #live: LiveStack;
  readonly #stackName: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  /** `stackName`: told to clients. */
  constructor(live: LiveStack, stackName: string) {
    this.#live = live;
    this.#stackName = stackName;
    this.#server = createServer((socket) => this.#serve(socket));
  }

  async listen(path: string, owner?: FileOwner): Promise<void> {
    await listenOn(this.#server, { path, mode: MODE, ...(owner === undefined ? {} : { owner }) });
  }

  /** Takes no more requests, and calls off those under way. Does not wait for clients that do not read. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => void this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    const connection = new Connection(socket, this.#live);
    socket.on("close", () => {
      this.#sockets.delete(socket);
      connection.leave();
    });
    connection.greet({
      protocol: PROTOCOL,
      version: PROTOCOL_VERSION,
      stack: this.#stackName,
      pid: process.pid,
    });
  }
}

/** One client. */
class Connection {
  readonly #socket: Socket;
  readonly #live: LiveStack;
  readonly #running = new Map<number, AbortController>();
  readonly #reader = new LineReader();
  /** Resolves when the socket takes more; null: it does. */
  #drained: Promise<void> | null = null;

  constructor(socket: Socket, live: LiveStack) {
    this.#socket = socket;
    this.#live = live;
    // A client that goes away is told of by "close".
    socket.on("error", () => undefined);
    socket.setEncoding("utf8").on("data", (text: string) => this.#take(text));
  }

  greet(hello: Hello): void {
    this.#socket.write(`${JSON.stringify(hello)}\n`);
  }

  leave(): void {
    for (const controller of this.#running.values())
      controller.abort(new CevError("CEV_CANCELLED", "the client has left"));
  }

  #take(text: string): void {
    let lines: readonly string[];
    try {
      lines = this.#reader.take(text);
    } catch (error) {
      void this.#send({ id: null, error: wireError(error) });
      this.#socket.destroySoon();
      return;
    }
    for (const line of lines) if (line.trim() !== "") void this.#answer(line);
  }

  async #answer(line: string): Promise<void> {
    let id: number | null = null;
    try {
      const read = idOf(line);
      // An answer with that id would be taken for one to the request that has it.
      if (this.#running.has(read.id))
        throw new CevError("CEV_PROTOCOL", `request ${read.id} is under way already`);
      id = read.id;
      await this.#send({ id, answer: await this.#execute(id, read.message) });
    } catch (error) {
      // What a layer of somebody's threw: the client has the words alone.
      if (isCevError(error) && error.code === "CEV_PROGRAM") debug(error);
      await this.#send({ id, error: wireError(error) });
    }
  }

  async #execute(id: number, message: { readonly [key: string]: Json }): Promise<Json> {
    const request = checkRequest(message);
    if (request.command === "cancel") {
      const controller = this.#running.get(request.of);
      controller?.abort(new CevError("CEV_CANCELLED", "the client called it off"));
      return { isFound: controller !== undefined };
    }
    const controller = new AbortController();
    this.#running.set(id, controller);
    try {
      const tell = (event: Json): Promise<void> => this.#send({ id, event });
      return await execute(this.#live, request, tell, controller.signal);
    } finally {
      this.#running.delete(id);
    }
  }

  /** Resolves when the socket takes more. */
  async #send(line: ServerLine): Promise<void> {
    if (!this.#socket.writable || this.#socket.write(`${JSON.stringify(line)}\n`)) return;
    // All answers that wait do so together.
    this.#drained ??= this.#drain();
    await this.#drained;
  }

  async #drain(): Promise<void> {
    const over = new AbortController();
    const { signal } = over;
    await Promise.race([
      once(this.#socket, "drain", { signal }),
      once(this.#socket, "close", { signal }),
    ]).catch(() => undefined);
    over.abort();
    this.#drained = null;
  }
}

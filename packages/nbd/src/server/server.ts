import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { CevError, Op, request } from "@cev/core";
import type { Environment, Timer } from "@cev/core";
import { listenOn } from "../transport/listen.ts";
import type { BoundAddress, TcpAddress, UnixAddress } from "../transport/listen.ts";
import { Connection } from "./connection.ts";
import type { ConnectionContext } from "./connection.ts";
import { ExportList } from "./exports/export-list.ts";
import { Export } from "./exports/export.ts";
import { resolveOptions } from "./server-options.ts";
import type { CloseReport, NbdEvent, NbdServerOptions, Unflushed } from "./server-options.ts";
import { SharedBufferPool } from "../memory/shared-buffer.ts";
import { socketTransport } from "../transport/socket-transport.ts";

const RECEIVE_LENGTH = 524_288;
const SEND_LENGTH = 262_144;

/** Serves devices to NBD clients. It does not own the devices: whoever opened them closes them, after the server. */
export class NbdServer implements AsyncDisposable {
  readonly exports: readonly Export[];
  readonly #options: ReturnType<typeof resolveOptions>;
  readonly #environment: Environment;
  readonly #context: ConnectionContext;
  readonly #listeners: Server[] = [];
  // Also those that are gone while requests of theirs are under way.
  readonly #connections = new Set<Connection>();
  readonly #open = new Set<Connection>();
  #connectionCount = 0;
  #closing: Promise<CloseReport> | null = null;
  #onSettled: (() => void) | null = null;
  #onForced: (() => void) | null = null;
  #drainTimer: Timer | null = null;
  // Exports whose flush has not ended well.
  readonly #unflushed = new Map<Export, CevError | null>();

  constructor(options: NbdServerOptions) {
    const resolved = resolveOptions(options);
    this.#options = resolved;
    this.#environment = resolved.environment;
    this.exports = options.exports.map((each) => new Export(each, resolved.payloadLengthMax));
    const { buffers } = this.#environment;
    this.#context = {
      environment: this.#environment,
      exports: new ExportList(this.exports, options.defaultExport),
      receivePool: new SharedBufferPool(buffers, Math.min(RECEIVE_LENGTH, buffers.bufferLengthMax)),
      sendPool: new SharedBufferPool(buffers, Math.min(SEND_LENGTH, buffers.bufferLengthMax)),
      limits: resolved,
      handshake: resolved.handshake,
      handshakeTimeoutMs: resolved.handshakeTimeoutMs,
      chosen: (connection, target) =>
        this.#tell({ kind: "chosen", connection: connection.id, peer: connection.peer, export: target.name }),
      closed: (connection, error) => this.#left(connection, error),
      settled: (connection) => this.#settled(connection),
    };
  }

  /** Connections that are open. */
  get connectionCount(): number {
    return this.#open.size;
  }

  /** Listens on one more address, and tells which one it became. */
  async listen(address: UnixAddress | TcpAddress): Promise<BoundAddress> {
    if (this.#closing !== null) throw new CevError("CEV_CLOSED", "the server is closed");
    const listener = createServer({
      pauseOnConnect: true,
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
    });
    listener.on("connection", (socket) => this.#accept(socket));
    const bound = await listenOn(listener, address);
    listener.on("error", (error) => this.#tell({ kind: "error", error }));
    this.#listeners.push(listener);
    return bound;
  }

  /**
   * Stops accepting, lets what was received finish, closes the connections and flushes the devices. `isForced`, also while
   * that goes on: everything ends at once, and the report says what was not flushed.
   */
  close(options: { readonly isForced?: boolean } = {}): Promise<CloseReport> {
    this.#closing ??= this.#drainAndClose();
    if (options.isForced === true) {
      for (const connection of this.#open) connection.destroy();
      this.#drainTimer?.cancel();
      this.#onForced?.();
    }
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #accept(socket: Socket): void {
    const peer = peerOf(socket);
    if (this.#closing !== null || this.#open.size >= this.#options.connectionsMax) {
      socket.destroy();
      if (this.#closing === null) this.#tell({ kind: "turnedAway", peer });
      return;
    }
    const id = ++this.#connectionCount;
    const connection = new Connection(id, peer, this.#context, (user) => socketTransport(socket, user));
    this.#connections.add(connection);
    this.#open.add(connection);
    this.#tell({ kind: "opened", connection: id, peer });
    connection.start();
  }

  #left(connection: Connection, error: Error | null): void {
    this.#open.delete(connection);
    const { id, peer, target } = connection;
    this.#tell({ kind: "closed", connection: id, peer, export: target?.name ?? null, error });
  }

  #settled(connection: Connection): void {
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#onSettled?.();
  }

  async #drainAndClose(): Promise<CloseReport> {
    for (const listener of this.#listeners) listener.close();
    for (const each of this.exports) if (needsFlush(each)) this.#unflushed.set(each, null);
    const forced = new Promise<void>((resolve) => (this.#onForced = resolve));
    await Promise.race([this.#drainAndFlush(), forced]);
    const abandonedCount = [...this.#connections].reduce((sum, each) => sum + each.inFlightCount, 0);
    const unflushed: Unflushed[] = [...this.#unflushed].map(([each, error]) => ({
      export: each.name,
      error,
    }));
    this.#context.receivePool.close();
    this.#context.sendPool.close();
    return { unflushed, abandonedCount };
  }

  async #drainAndFlush(): Promise<void> {
    this.#drainTimer = this.#environment.clock.after(this.#options.drainTimeoutMs, () => {
      for (const connection of this.#open) connection.destroy();
    });
    if (this.#connections.size > 0) {
      const settled = new Promise<void>((resolve) => (this.#onSettled = resolve));
      for (const connection of this.#open) connection.drain();
      await settled;
    }
    this.#drainTimer.cancel();
    await Promise.all([...this.#unflushed.keys()].map((each) => this.#flush(each)));
  }

  async #flush(target: Export): Promise<void> {
    const { device } = target;
    try {
      await request(device, device.environment, Op.flush, 0, 0);
      this.#unflushed.delete(target);
    } catch (error) {
      if (!(error instanceof CevError)) throw error;
      this.#unflushed.set(target, error);
    }
  }

  #tell(event: NbdEvent): void {
    this.#options.onEvent(event);
  }
}

function needsFlush({ device, isReadOnly }: Export): boolean {
  return !isReadOnly && device.support.flush !== "none";
}

function peerOf(socket: Socket): string {
  const { remoteAddress, remotePort } = socket;
  return remoteAddress === undefined ? "unix" : `${remoteAddress}:${remotePort ?? 0}`;
}

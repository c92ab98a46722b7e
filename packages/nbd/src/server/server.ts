import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { CevError } from "@cev/core";
import type { Environment, Timer } from "@cev/core";
import { listenOn } from "../transport/listen.ts";
import type { BoundAddress, InheritedSocket, TcpAddress, UnixAddress } from "../transport/listen.ts";
import { inheritedStream } from "../transport/pipe-transport.ts";
import type { StreamFds } from "../transport/pipe-transport.ts";
import type { Transport, TransportUser } from "../transport/transport.ts";
import { LastFlush } from "./closing.ts";
import type { CloseReport } from "./closing.ts";
import { Connection } from "./connection.ts";
import type { ConnectionContext } from "./connection.ts";
import { ExportList } from "./exports/export-list.ts";
import { Export } from "./exports/export.ts";
import { checkKnown } from "./known-options.ts";
import { resolveOptions } from "./server-options.ts";
import type { NbdEvent } from "./events.ts";
import type { NbdServerOptions } from "./server-options.ts";
import { MemoryBudget } from "../memory/memory-budget.ts";
import { SharedBufferPool } from "../memory/shared-buffer.ts";
import { timeTroubles } from "../tls/certificate-times.ts";
import type { CertificateSet } from "../tls/credentials.ts";
import { WriteFences } from "./transmission/write-fence.ts";
import { BusyPoll } from "../transport/busy-poll.ts";
import { socketTransport } from "../transport/socket-transport.ts";

const RECEIVE_LENGTH = 524_288;
const SEND_LENGTH = 262_144;
// What a connection has while it does nothing.
const SMALL_LENGTH = 16_384;

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
  #hasWarned = false;
  readonly #certificates: CertificateSet;
  readonly #streams = new Map<Connection, () => void>();

  constructor(options: NbdServerOptions) {
    checkKnown(options);
    const resolved = resolveOptions(options);
    this.#options = resolved;
    this.#certificates = resolved.tls === null ? {} : (options.tls?.certificates ?? {});
    this.#environment = resolved.environment;
    const fences = new WriteFences();
    this.exports = options.exports.map(
      (each) => new Export(each, resolved.payloadLengthMax, fences.of(each.device)),
    );
    const { buffers } = this.#environment;
    const budget = new MemoryBudget(resolved.memoryMax);
    const pool = (length: number): SharedBufferPool =>
      new SharedBufferPool(buffers, Math.min(length, buffers.bufferLengthMax), budget);
    this.#context = {
      environment: this.#environment,
      exports: new ExportList(this.exports, options.defaultExport),
      budget,
      receivePool: pool(RECEIVE_LENGTH),
      sendPool: pool(SEND_LENGTH),
      smallPool: pool(SMALL_LENGTH),
      onRequest: resolved.onRequest,
      limits: resolved,
      handshake: resolved.handshake,
      tls: resolved.tls,
      handshakeTimeoutMs: resolved.handshakeTimeoutMs,
      times: resolved.times,
      busyPoll: new BusyPoll(this.#environment, resolved.busyPollUs),
      chosen: (connection, target) => {
        const { id, peer, security } = connection;
        this.#tell({ kind: "chosen", connection: id, peer, export: target.name, security });
      },
      closed: (connection, error) => this.#left(connection, error),
      settled: (connection) => this.#settled(connection),
    };
  }

  /** Connections that are open. */
  get connectionCount(): number {
    return this.#open.size;
  }

  /** Listens on one more address, and tells which one it became. */
  async listen(address: UnixAddress | TcpAddress | InheritedSocket): Promise<BoundAddress> {
    if (this.#closing !== null) throw new CevError("CEV_CLOSED", "the server is closed");
    this.#warn();
    const listener = createServer({
      pauseOnConnect: true,
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
    });
    listener.on("connection", (socket) => this.#accept(socket));
    const bound = await listenOn(listener, address);
    if (this.#closing !== null) {
      // It was closed meanwhile, and knew nothing of this one.
      listener.close();
      throw new CevError("CEV_CLOSED", "the server is closed");
    }
    listener.on("error", (error) => this.#tell({ kind: "error", error }));
    this.#listeners.push(listener);
    return bound;
  }

  /**
   * Serves one client that is there already, at a socket or two pipes that the process was started with; standard input and
   * output by default. Resolves when it has left. Throws `CEV_INVALID` where no client can be.
   */
  serveStream(fds: StreamFds = { inputFd: 0, outputFd: 1 }): Promise<void> {
    if (this.#closing !== null) throw new CevError("CEV_CLOSED", "the server is closed");
    const stream = inheritedStream(fds);
    this.#warn();
    const { handshake } = this.#context;
    const canStartTls = handshake.canStartTls && stream.isSocket;
    const context = { ...this.#context, handshake: { ...handshake, canStartTls } };
    return new Promise((resolve) => {
      this.#begin("standard input", context, (user) => stream.transport(user), resolve);
    });
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
    this.#begin(peer, this.#context, (user) => socketTransport(socket, user));
  }

  #begin(
    peer: string,
    context: ConnectionContext,
    makeTransport: (user: TransportUser) => Transport,
    settled?: () => void,
  ): void {
    const id = ++this.#connectionCount;
    const connection = new Connection(id, peer, context, makeTransport);
    this.#connections.add(connection);
    this.#open.add(connection);
    if (settled !== undefined) this.#streams.set(connection, settled);
    this.#tell({ kind: "opened", connection: id, peer });
    connection.start();
  }

  #left(connection: Connection, error: CevError | null): void {
    this.#open.delete(connection);
    const { id, peer, target, security, figures } = connection;
    const name = target?.name ?? null;
    this.#tell({ kind: "closed", connection: id, peer, export: name, security, figures, error });
  }

  #settled(connection: Connection): void {
    this.#connections.delete(connection);
    this.#streams.get(connection)?.();
    this.#streams.delete(connection);
    if (this.#connections.size === 0) this.#onSettled?.();
  }

  async #drainAndClose(): Promise<CloseReport> {
    for (const listener of this.#listeners) listener.close();
    const lastFlush = new LastFlush(this.exports);
    const forced = new Promise<void>((resolve) => (this.#onForced = resolve));
    await Promise.race([this.#drainAndFlush(lastFlush), forced]);
    const abandonedCount = [...this.#connections].reduce((sum, each) => sum + each.inFlightCount, 0);
    this.#context.receivePool.close();
    this.#context.sendPool.close();
    this.#context.smallPool.close();
    return { unflushed: lastFlush.report(), abandonedCount };
  }

  async #drainAndFlush(lastFlush: LastFlush): Promise<void> {
    this.#drainTimer = this.#environment.clock.after(this.#options.drainTimeoutMs, () => {
      for (const connection of this.#open) connection.destroy();
    });
    if (this.#connections.size > 0) {
      const settled = new Promise<void>((resolve) => (this.#onSettled = resolve));
      for (const connection of this.#open) connection.drain();
      await settled;
    }
    this.#drainTimer.cancel();
    await lastFlush.run();
  }

  #warn(): void {
    const { wallClock } = this.#environment;
    if (this.#hasWarned || wallClock === null) return;
    this.#hasWarned = true;
    for (const message of timeTroubles(this.#certificates, wallClock.now()))
      this.#tell({ kind: "warning", message });
  }

  #tell(event: NbdEvent): void {
    this.#options.onEvent(event);
  }
}

function peerOf(socket: Socket): string {
  const { remoteAddress, remotePort } = socket;
  return remoteAddress === undefined ? "unix" : `${remoteAddress}:${remotePort ?? 0}`;
}

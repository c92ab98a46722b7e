import { Buffer } from "node:buffer";
import type { CevError } from "@cev/core";
import { Connection } from "../../src/server/connection.ts";
import type { ConnectionContext } from "../../src/server/connection.ts";
import { ExportList } from "../../src/server/exports/export-list.ts";
import type { Export } from "../../src/server/exports/export.ts";
import type { HandshakeSettings } from "../../src/server/handshake/negotiation.ts";
import { resolveOptions } from "../../src/server/server-options.ts";
import type { NbdServerOptions } from "../../src/server/server-options.ts";
import { encodeMetaRequest } from "../../src/protocol/option-meta.ts";
import { ClientFlag, HeaderStyle, OptionType } from "../../src/protocol/numbers.ts";
import { MemoryBudget } from "../../src/memory/memory-budget.ts";
import { SharedBufferPool } from "../../src/memory/shared-buffer.ts";
import type { Transport, TransportUser } from "../../src/transport/transport.ts";
import type { Environment } from "@cev/core";
import { clientFlags, go, option, parseReplies, request } from "./messages.ts";
import type { Reply, RequestParts } from "./messages.ts";
import { BusyPoll } from "../../src/transport/busy-poll.ts";

/** A transport in memory, with a client that reads only when it is told to. */
class FakeTransport implements Transport {
  readonly #user: TransportUser;
  readonly #incoming: Buffer[] = [];
  readonly #received: Buffer[] = [];
  #room: Uint8Array;
  // As for a socket, nothing comes before the first `resume`.
  #isReading = false;
  #underWay: readonly Uint8Array[] | null = null;
  #leftLength = 0;
  isEnded = false;
  isDestroyed = false;
  /** False: what is written stays on its way until `read`. */
  isReader = true;
  writeCount = 0;

  constructor(user: TransportUser) {
    this.#user = user;
    // Sockets ask at once.
    this.#room = user.receiveInto();
  }

  get isReading(): boolean {
    return this.#isReading;
  }

  /** Bytes that the server has sent and the client has not taken. */
  get waitingLength(): number {
    return (this.#underWay ?? []).reduce((sum, each) => sum + each.length, 0) - this.#leftLength;
  }

  /** Bytes that wait in the socket because the server does not read. */
  get unreadLength(): number {
    return this.#incoming.reduce((sum, each) => sum + each.length, 0);
  }

  resume(): void {
    this.#isReading = true;
    this.pump();
  }

  pause(): void {
    this.#isReading = false;
  }

  write(pieces: readonly Buffer[]): boolean {
    if (this.#underWay !== null) throw new Error("a write during a write");
    if (pieces.length === 0 || this.isEnded) throw new Error("nothing may be written here");
    this.writeCount++;
    if (this.isReader) {
      for (const piece of pieces) this.#received.push(Buffer.from(piece));
      return true;
    }
    this.#underWay = [...pieces];
    return false;
  }

  end(): void {
    if (this.#underWay !== null) throw new Error("closed during a write");
    this.isEnded = true;
  }

  destroy(): void {
    if (this.isDestroyed) return;
    this.isDestroyed = true;
    this.#isReading = false;
    this.#user.closed(null);
  }

  /** Takes what is on its way, and reads from now on. */
  read(): void {
    this.isReader = true;
    this.drainOnce();
  }

  /** So many bytes of what is on its way have left, but not all. */
  leave(length: number): void {
    this.#leftLength += Math.min(length, this.waitingLength - 1);
  }

  /** Takes what is on its way. False: there was nothing. */
  drainOnce(): boolean {
    const pieces = this.#underWay;
    if (pieces === null || this.isDestroyed) return false;
    // The memory has to hold the bytes until now.
    for (const piece of pieces) this.#received.push(Buffer.from(piece));
    this.#underWay = null;
    this.#leftLength = 0;
    this.#user.drained();
    return true;
  }

  deliver(bytes: Buffer): void {
    if (bytes.length > 0) this.#incoming.push(bytes);
    this.pump();
  }

  takeReceived(): Buffer {
    return Buffer.concat(this.#received.splice(0));
  }

  pump(): void {
    while (this.#isReading && this.#incoming.length > 0 && !this.isDestroyed) {
      const first = this.#incoming[0]!;
      if (this.#room.length === 0) throw new Error("asked to receive into nothing");
      const part = first.subarray(0, this.#room.length);
      this.#room.set(part);
      if (part.length === first.length) this.#incoming.shift();
      else this.#incoming[0] = first.subarray(part.length);
      const wantsMore = this.#user.received(part.length);
      if (this.isDestroyed) return;
      this.#room = this.#user.receiveInto();
      // What the server has not asked to read it must not find in its memory either.
      if (!wantsMore) this.#isReading = false;
    }
  }
}

export interface FakeClientOptions extends Partial<Omit<NbdServerOptions, "exports" | "environment">> {
  /** Length of the receive buffer. */
  readonly receiveLength?: number;
  readonly sendLength?: number;
  /** Of the buffer that it has first. */
  readonly smallLength?: number;
  /** Shared by several. */
  readonly budget?: MemoryBudget;
  /** Where its buffers are counted, which by default are not. */
  readonly bufferBudget?: MemoryBudget;
  readonly handshake?: Partial<HandshakeSettings>;
}

/** A client of one connection that is not connected to anything real. */
export class FakeClient {
  readonly transport: FakeTransport;
  readonly connection: Connection;
  readonly errors: (CevError | null)[] = [];
  closedCount = 0;
  settledCount = 0;
  /** Selected by `enter`; their numbers count from 1. */
  contexts: readonly string[] = [];
  #style: HeaderStyle = HeaderStyle.simple;
  readonly pools: readonly SharedBufferPool[];

  constructor(environment: Environment, exports: readonly Export[], options: FakeClientOptions = {}) {
    // Simulated time flies while a test looks away: nobody is in a hurry, unless a test says so.
    const resolved = resolveOptions({ environment, exports: [], messageTimeoutMs: 0, ...options });
    const { buffers } = environment;
    this.pools = [
      options.receiveLength ?? 524_288,
      options.sendLength ?? 262_144,
      options.smallLength ?? Math.min(16_384, options.receiveLength ?? 16_384),
    ].map((length) => new SharedBufferPool(buffers, length, options.bufferBudget));
    const context: ConnectionContext = {
      environment,
      exports: new ExportList(exports, options.defaultExport),
      receivePool: this.pools[0]!,
      sendPool: this.pools[1]!,
      smallPool: this.pools[2]!,
      budget: options.budget ?? new MemoryBudget(resolved.memoryMax),
      onRequest: resolved.onRequest,
      limits: resolved,
      handshake: { ...resolved.handshake, ...options.handshake },
      tls: resolved.tls,
      handshakeTimeoutMs: resolved.handshakeTimeoutMs,
      times: resolved.times,
      // Under simulated time it would only be turns in which nothing happens.
      busyPoll: new BusyPoll(environment, 0),
      chosen: () => {},
      closed: (_connection, error) => {
        this.closedCount++;
        this.errors.push(error);
      },
      settled: () => {
        this.settledCount++;
      },
    };
    const transports: FakeTransport[] = [];
    this.connection = new Connection(1, "test", context, (user) => {
      transports.push(new FakeTransport(user));
      return transports[0]!;
    });
    this.transport = transports[0]!;
    this.connection.start();
  }

  /** Code of the error the connection was closed with. */
  get errorCode(): string | undefined {
    return this.errors[0]?.code;
  }

  send(...messages: readonly Uint8Array[]): this {
    for (const each of messages) this.transport.deliver(Buffer.from(each));
    return this;
  }

  /** Everything that came since the last time. */
  received(): Buffer {
    return this.transport.takeReceived();
  }

  /** Ends the handshake; what it answered is thrown away. */
  enter(
    name = "",
    isStructured: boolean | "extended" = true,
    flags: number = ClientFlag.fixedNewstyle | ClientFlag.noZeroes,
  ): this {
    this.send(clientFlags(flags));
    if (isStructured === "extended") {
      this.send(option(OptionType.extendedHeaders));
      this.#style = HeaderStyle.extended;
    } else if (isStructured) {
      this.send(option(OptionType.structuredReply));
    }
    const { contexts } = this;
    if (contexts.length > 0)
      this.send(option(OptionType.setMetaContext, encodeMetaRequest({ name, queries: contexts })));
    this.send(go(name));
    this.received();
    return this;
  }

  request(parts: RequestParts): this {
    return this.send(request(parts, this.#style));
  }

  replies(lengthOf?: (cookie: number) => number): Reply[] {
    return parseReplies(this.received(), lengthOf);
  }
}

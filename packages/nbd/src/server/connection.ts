import { CevError, isCevError } from "@cev/core";
import type { Environment, Timer } from "@cev/core";
import type { ExportList } from "./exports/export-list.ts";
import type { Export } from "./exports/export.ts";
import { Handshake } from "./handshake/handshake.ts";
import type { HandshakeSettings } from "./handshake/negotiation.ts";
import type { TransmissionLimits } from "./transmission/limits.ts";
import { ReceiveBuffer } from "../memory/receive-buffer.ts";
import { ReplyWriter } from "./transmission/reply-writer.ts";
import type { MemoryBudget } from "../memory/memory-budget.ts";
import type { SharedBufferPool } from "../memory/shared-buffer.ts";
import { RequestTracer } from "./transmission/trace.ts";
import type { RequestTrace } from "./transmission/trace.ts";
import { Transmission } from "./transmission/transmission.ts";
import type { TransmissionUser } from "./transmission/transmission-parts.ts";
import type { BusyPoll } from "../transport/busy-poll.ts";
import type { Transport, TransportUser } from "../transport/transport.ts";
import { PLAIN } from "../tls/security.ts";
import type { Security } from "../tls/security.ts";
import type { TlsServer, Upgraded } from "../tls/upgrade.ts";
import type { ConnectionFigures } from "./events.ts";
import { StallWatch } from "./stall-watch.ts";
import type { WatchTimes, WatchedConnection } from "./stall-watch.ts";

// How long a client may take to close its side after the server has closed its own.
const LINGER_MS = 2000;

/** What connections share. */
export interface ConnectionContext {
  readonly environment: Environment;
  readonly exports: ExportList;
  readonly receivePool: SharedBufferPool;
  readonly sendPool: SharedBufferPool;
  /** Of the buffers of connections that do nothing. */
  readonly smallPool: SharedBufferPool;
  readonly budget: MemoryBudget;
  /** Is told of each request; null: nobody wants to know. */
  readonly onRequest: ((trace: RequestTrace) => void) | null;
  readonly limits: TransmissionLimits;
  readonly handshake: HandshakeSettings;
  /** Null: nobody can ask for TLS. */
  readonly tls: TlsServer | null;
  readonly handshakeTimeoutMs: number;
  readonly times: WatchTimes;
  readonly busyPoll: BusyPoll;
  /** The handshake is over. */
  chosen(connection: Connection, target: Export): void;
  /** The connection is gone. Requests may still be under way. */
  closed(connection: Connection, error: CevError | null): void;
  /** It is gone, and nothing of it is under way. */
  settled(connection: Connection): void;
}

/** One client, from its first byte to its last. */
export class Connection implements TransportUser, TransmissionUser, WatchedConnection {
  /** Counts connections of a server, from 1. */
  readonly id: number;
  /** Where it comes from, for people. */
  readonly peer: string;
  readonly #context: ConnectionContext;
  readonly #receive: ReceiveBuffer;
  #transport: Transport;
  #writer: ReplyWriter;
  #handshake: Handshake;
  readonly #watch: StallWatch;
  readonly #openedAt: number;
  #transmission: Transmission | null = null;
  #timer: Timer | null;
  #messageLength = 1;
  #isPaused = false;
  /** Bytes. */
  receivedLength = 0;
  security: Security = PLAIN;
  #isUpgrading = false;
  #isDraining = false;
  #isEnded = false;
  #isClosed = false;
  #isSettled = false;
  #error: CevError | null = null;
  readonly #turn = (): void => this.turn();
  readonly #upgrade = (): void => this.#upgradeNow();

  constructor(
    id: number,
    peer: string,
    context: ConnectionContext,
    makeTransport: (user: TransportUser) => Transport,
  ) {
    this.id = id;
    this.peer = peer;
    this.#context = context;
    // The transport asks for memory at once.
    this.#receive = new ReceiveBuffer(context.receivePool, context.smallPool);
    this.#transport = makeTransport(this);
    this.#writer = new ReplyWriter(this.#transport, context.sendPool, context.smallPool);
    this.#handshake = new Handshake(context.exports, this.#writer, context.handshake);
    const { environment, handshakeTimeoutMs } = context;
    this.#openedAt = environment.clock.now();
    this.#watch = new StallWatch(environment, context.times, this, (why) => this.#fail("CEV_TIMED_OUT", why));
    this.#timer = environment.clock.after(handshakeTimeoutMs, () => {
      this.#fail("CEV_TIMED_OUT", `the handshake took longer than ${handshakeTimeoutMs} ms`);
    });
  }

  /** The export that was chosen; null before. */
  get target(): Export | null {
    return this.#transmission?.target ?? null;
  }

  /** Requests under way. */
  get inFlightCount(): number {
    return this.#transmission?.inFlightCount ?? 0;
  }

  /** What it has done so far. */
  get figures(): ConnectionFigures {
    const transmission = this.#transmission;
    return {
      requestCount: transmission?.requestCount ?? 0,
      bytesRead: transmission?.bytesRead ?? 0,
      bytesWritten: transmission?.bytesWritten ?? 0,
      durationMs: this.#context.environment.clock.now() - this.#openedAt,
    };
  }

  get isReceivingMessage(): boolean {
    return this.#transmission?.isReceivingMessage ?? false;
  }

  get isSending(): boolean {
    return !this.#writer.isIdle;
  }

  get isIdle(): boolean {
    return this.#transmission?.isSettled === true && !this.#isEnded;
  }

  get messageCount(): number {
    return this.#transmission?.requestCount ?? 0;
  }

  get sentLength(): number {
    return this.#writer.sentLength(this.#transport.waitingLength);
  }

  get unsentLength(): number {
    return this.#writer.unsentLength;
  }

  get isInTheWay(): boolean {
    return this.#context.budget.isWanted;
  }

  start(): void {
    this.#handshake.greet();
    this.#writer.flush();
    this.#transport.resume();
  }

  /** Takes no more than what was received, answers it, and closes. */
  drain(): void {
    if (this.#isDraining || this.#isEnded || this.#isClosed) return;
    this.#isDraining = true;
    // Nothing was promised to it yet.
    if (this.#isUpgrading) return this.destroy();
    this.#handshake.isShuttingDown = true;
    this.#pause();
    this.turn();
  }

  /** Closes at once; what is under way ends unanswered. */
  destroy(): void {
    this.#transport.destroy();
  }

  receiveInto(): Uint8Array {
    try {
      return this.#transmission?.receiveInto() ?? this.#receive.room(this.#messageLength);
    } catch (error) {
      this.#failWithoutMemory(error);
      // Whatever comes there is not looked at.
      return new Uint8Array(1);
    }
  }

  received(length: number): boolean {
    if (this.#isClosed) return false;
    if (this.#isEnded) return true;
    this.receivedLength += length;
    try {
      this.#process(length);
    } catch (error) {
      this.#failWithoutMemory(error);
    }
    this.#endIfDone();
    this.#isPaused = !this.#isEnded && !this.#wantsMore();
    if (this.#transmission !== null) this.#watch.wake();
    return !this.#isPaused;
  }

  ended(): void {
    // Whoever will send no more may still read: what was received whole is answered.
    this.#isDraining = true;
    this.turn();
    if (this.#transmission !== null && !this.#isEnded && !this.#isClosed) this.#waitForAnswers();
  }

  drained(): void {
    this.#writer.drained();
    this.turn();
  }

  closed(error: Error | null): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#watch.stop();
    this.#transmission?.close();
    this.#writer.close();
    this.#receive.close();
    this.#context.closed(this, this.#error ?? this.#lossOf(error));
    this.#settle();
  }

  wantsTurn(): void {
    this.#context.environment.later(this.#turn);
  }

  violation(message: string): void {
    this.#fail("CEV_PROTOCOL", message);
  }

  failed(error: unknown): void {
    this.#failWithoutMemory(error);
  }

  requestEnded(): void {
    this.#settle();
  }

  /** Goes on with what was received and not yet used, and sends what can be sent. */
  turn(): void {
    if (this.#isClosed || this.#isUpgrading || this.#error !== null) return;
    try {
      if (this.#transmission === null) this.#processHandshake();
      else this.#transmission.turn();
    } catch (error) {
      this.#failWithoutMemory(error);
    }
    this.#endIfDone();
    if (this.#transmission !== null) this.#watch.wake();
    if (this.#isPaused && this.#wantsMore()) {
      this.#isPaused = false;
      this.#transport.resume();
    }
  }

  /** So many bytes have come. */
  #process(length: number): void {
    if (this.#transmission === null) {
      this.#receive.end += length;
      this.#processHandshake();
      return;
    }
    const { busyPoll } = this.#context;
    busyPoll.arrived();
    this.#transmission.received(length);
    busyPoll.left();
  }

  #processHandshake(): void {
    const handshake = this.#handshake;
    this.#messageLength = handshake.process(this.#receive);
    const { result } = handshake;
    if (result === null || this.#isEnded) return;
    if (result.kind === "startTls") return this.#startTls();
    this.#timer?.cancel();
    if (result.kind === "refused") return this.#fail("CEV_PROTOCOL", result.message);
    if (result.kind === "aborted") return;
    this.#transmission = new Transmission(result, {
      receive: this.#receive,
      writer: this.#writer,
      limits: this.#context.limits,
      user: this,
      buffers: this.#context.environment.buffers,
      budget: this.#context.budget,
      tracer: this.#newTracer(),
    });
    this.#context.chosen(this, result.target);
    this.#transmission.process();
  }

  #newTracer(): RequestTracer | null {
    const { onRequest, environment } = this.#context;
    return onRequest === null ? null : new RequestTracer(this.id, environment.clock, onRequest);
  }

  /** The agreement to start TLS leaves in plain, and nothing after it. The time for the handshake goes on. */
  #startTls(): void {
    if (!this.#writer.isIdle) return;
    this.#isUpgrading = true;
    // A socket cannot be given away while it hands over what it has received.
    this.#context.environment.later(this.#upgrade);
  }

  #upgradeNow(): void {
    if (this.#isClosed || this.#isEnded) return;
    const socket = this.#receive.available > 0 ? null : (this.#transport.detach?.() ?? null);
    if (socket === null || this.#context.tls === null)
      return this.#fail("CEV_PROTOCOL", "TLS cannot be started here");
    this.#context.tls.upgrade(socket, this).then(
      (upgraded) => this.#goOnEncrypted(upgraded),
      (error: unknown) => this.closed(error as Error),
    );
  }

  #goOnEncrypted({ transport, security }: Upgraded): void {
    this.#transport = transport;
    if (this.#isClosed || this.#isEnded) return transport.destroy();
    this.security = security;
    this.#isUpgrading = false;
    this.#writer.close();
    this.#writer = new ReplyWriter(transport, this.#context.sendPool, this.#context.smallPool);
    this.#handshake = this.#handshake.afterTls(this.#writer, security);
    this.#isPaused = false;
    transport.resume();
  }

  #wantsMore(): boolean {
    if (this.#isDraining || this.#isEnded || this.#isClosed) return false;
    if (this.#transmission === null) return this.#handshake.result === null && this.#writer.isIdle;
    return !this.#transmission.isBlocked && !this.#transmission.isEnding;
  }

  /** One that was killed looks the same as one that still reads: it is not waited for longer than for half a message. */
  #waitForAnswers(): void {
    const { environment, times } = this.#context;
    const { messageTimeoutMs } = times;
    const before = this.sentLength;
    if (messageTimeoutMs === 0) return;
    this.#timer = environment.clock.after(messageTimeoutMs, () => {
      if (this.sentLength !== before) return this.#waitForAnswers();
      const why = `it sends no more, and none of its requests ended within ${messageTimeoutMs} ms`;
      this.#fail("CEV_TIMED_OUT", why);
    });
  }

  #pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#transport.pause();
  }

  /** Closes when nothing more is to be taken and all that was is answered. */
  #endIfDone(): void {
    if (this.#isEnded || this.#isClosed || !this.#writer.isIdle) return;
    const transmission = this.#transmission;
    if (transmission === null) {
      if (!this.#isDraining && this.#handshake.result?.kind !== "aborted") return;
    } else {
      if (this.#isDraining && !transmission.isBlocked) transmission.stop();
      if (!transmission.isEnding || !transmission.isSettled) return;
    }
    this.#isEnded = true;
    this.#timer?.cancel();
    this.#transport.end();
    // To close with bytes unread could cost the client the last answers: whatever still comes is thrown away for a while.
    this.#timer = this.#context.environment.clock.after(LINGER_MS, () => this.#transport.destroy());
    this.#isPaused = false;
    this.#transport.resume();
  }

  /** Without buffers of its own a connection cannot go on, but others can. Any other error is thrown again. */
  #failWithoutMemory(error: unknown): void {
    if (!isCevError(error) || error.code !== "CEV_NO_MEMORY") throw error;
    this.#fail("CEV_NO_MEMORY", error.message);
  }

  #fail(code: "CEV_PROTOCOL" | "CEV_TIMED_OUT" | "CEV_NO_MEMORY", message: string): void {
    if (this.#isEnded || this.#isClosed) return;
    this.#isEnded = true;
    this.#error = new CevError(code, message, { source: this.peer });
    this.#transport.destroy();
  }

  /** What is owed to nobody cannot be lost: some clients do not wait for the answer to their goodbye. */
  #lossOf(cause: Error | null): CevError | null {
    const hasLeft = this.#transmission === null && this.#handshake.result?.kind === "aborted";
    if (cause === null || hasLeft || this.#isEnded) return null;
    if (isCevError(cause)) return cause;
    return new CevError("CEV_DEVICE_LOST", "the connection was lost", { source: this.peer, cause });
  }

  #settle(): void {
    if (!this.#isClosed || this.#isSettled || this.inFlightCount > 0) return;
    this.#isSettled = true;
    this.#context.settled(this);
  }
}

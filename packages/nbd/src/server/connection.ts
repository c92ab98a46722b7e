import { CevError } from "@cev/core";
import type { Environment, Timer } from "@cev/core";
import type { ExportList } from "./exports/export-list.ts";
import type { Export } from "./exports/export.ts";
import { Handshake } from "./handshake/handshake.ts";
import type { HandshakeSettings } from "./handshake/negotiation.ts";
import type { TransmissionLimits } from "./transmission/limits.ts";
import { ReceiveBuffer } from "../memory/receive-buffer.ts";
import { ReplyWriter } from "./transmission/reply-writer.ts";
import type { SharedBufferPool } from "../memory/shared-buffer.ts";
import { Transmission } from "./transmission/transmission.ts";
import type { TransmissionUser } from "./transmission/transmission-parts.ts";
import type { Transport, TransportUser } from "../transport/transport.ts";

// How long a client may take to close its side after the server has closed its own.
const LINGER_MS = 2000;

/** What connections share. */
export interface ConnectionContext {
  readonly environment: Environment;
  readonly exports: ExportList;
  readonly receivePool: SharedBufferPool;
  readonly sendPool: SharedBufferPool;
  readonly limits: TransmissionLimits;
  readonly handshake: HandshakeSettings;
  readonly handshakeTimeoutMs: number;
  /** The handshake is over. */
  chosen(connection: Connection, target: Export): void;
  /** The connection is gone. Requests may still be under way. */
  closed(connection: Connection, error: Error | null): void;
  /** It is gone, and nothing of it is under way. */
  settled(connection: Connection): void;
}

/** One client, from its first byte to its last. */
export class Connection implements TransportUser, TransmissionUser {
  /** Counts connections of a server, from 1. */
  readonly id: number;
  /** Where it comes from, for people. */
  readonly peer: string;
  readonly #context: ConnectionContext;
  readonly #receive: ReceiveBuffer;
  readonly #transport: Transport;
  readonly #writer: ReplyWriter;
  readonly #handshake: Handshake;
  #transmission: Transmission | null = null;
  #timer: Timer | null;
  #messageLength = 1;
  #isPaused = false;
  #isDraining = false;
  #isEnded = false;
  #isClosed = false;
  #isSettled = false;
  #error: Error | null = null;
  readonly #turn = (): void => this.turn();

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
    this.#receive = new ReceiveBuffer(context.receivePool);
    this.#transport = makeTransport(this);
    this.#writer = new ReplyWriter(this.#transport, context.sendPool);
    this.#handshake = new Handshake(context.exports, this.#writer, context.handshake);
    this.#timer = context.environment.clock.after(context.handshakeTimeoutMs, () => {
      this.#fail("CEV_TIMED_OUT", `the handshake took longer than ${context.handshakeTimeoutMs} ms`);
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

  start(): void {
    this.#handshake.greet();
    this.#writer.flush();
    this.#transport.resume();
  }

  /** Takes no more than what was received, answers it, and closes. */
  drain(): void {
    if (this.#isDraining || this.#isClosed) return;
    this.#isDraining = true;
    this.#handshake.isShuttingDown = true;
    this.#pause();
    this.turn();
  }

  /** Closes at once; what is under way ends unanswered. */
  destroy(): void {
    this.#transport.destroy();
  }

  receiveInto(): Uint8Array {
    return this.#transmission?.receiveInto() ?? this.#receive.room(this.#messageLength);
  }

  received(length: number): boolean {
    if (this.#isClosed) return false;
    if (this.#isEnded) return true;
    if (this.#transmission === null) {
      this.#receive.end += length;
      this.#processHandshake();
    } else {
      this.#transmission.received(length);
    }
    this.#endIfDone();
    this.#isPaused = !this.#isEnded && !this.#wantsMore();
    return !this.#isPaused;
  }

  ended(): void {
    // Whoever will send no more may still read: what was received whole is answered.
    this.#isDraining = true;
    this.turn();
  }

  drained(): void {
    this.#writer.drained();
    this.turn();
  }

  closed(error: Error | null): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#transmission?.close();
    this.#writer.close();
    this.#receive.close();
    this.#context.closed(this, this.#error ?? error);
    this.#settle();
  }

  wantsTurn(): void {
    this.#context.environment.later(this.#turn);
  }

  violation(message: string): void {
    this.#fail("CEV_PROTOCOL", message);
  }

  requestEnded(): void {
    this.#settle();
  }

  /** Goes on with what was received and not yet used, and sends what can be sent. */
  turn(): void {
    if (this.#isClosed) return;
    if (this.#transmission === null) this.#processHandshake();
    else this.#transmission.turn();
    this.#endIfDone();
    if (this.#isPaused && this.#wantsMore()) {
      this.#isPaused = false;
      this.#transport.resume();
    }
  }

  #processHandshake(): void {
    const handshake = this.#handshake;
    this.#messageLength = handshake.process(this.#receive);
    const { result } = handshake;
    if (result === null || this.#isEnded) return;
    this.#timer?.cancel();
    if (result.kind === "refused") return this.#fail("CEV_PROTOCOL", result.message);
    if (result.kind === "aborted") return;
    if (result.kind === "startTls") return;
    this.#transmission = new Transmission(result, {
      receive: this.#receive,
      writer: this.#writer,
      limits: this.#context.limits,
      user: this,
      buffers: this.#context.environment.buffers,
    });
    this.#context.chosen(this, result.target);
    this.#transmission.process();
  }

  #wantsMore(): boolean {
    if (this.#isDraining || this.#isEnded || this.#isClosed) return false;
    if (this.#transmission === null) return this.#handshake.result === null && this.#writer.isIdle;
    return !this.#transmission.isBlocked && !this.#transmission.isEnding;
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

  #fail(code: "CEV_PROTOCOL" | "CEV_TIMED_OUT", message: string): void {
    if (this.#isEnded || this.#isClosed) return;
    this.#isEnded = true;
    this.#error = new CevError(code, message, { source: this.peer });
    this.#transport.destroy();
  }

  #settle(): void {
    if (!this.#isClosed || this.#isSettled || this.inFlightCount > 0) return;
    this.#isSettled = true;
    this.#context.settled(this);
  }
}

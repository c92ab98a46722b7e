import type { Environment, Timer } from "@cev/core";

/** A connection, as the watch sees it. All but the first are counted since it was opened. */
export interface WatchedConnection {
  /** What is on its way, half of it here: a message that comes, answers that leave. */
  readonly isReceivingMessage: boolean;
  readonly isSending: boolean;
  /** Nothing is under way at all. */
  readonly isIdle: boolean;
  readonly receivedLength: number;
  readonly messageCount: number;
  /** Changes whenever some of what is to be sent has left. */
  readonly sentMark: number;
}

/** How long a connection may be still. */
export interface WatchTimes {
  /** Of half a message, or of answers that nobody takes; 0: for ever. */
  readonly messageTimeoutMs: number;
  /** Of one that does nothing; 0: for ever. */
  readonly idleTimeoutMs: number;
}

// A message that comes slower than this is on its way to hold its memory for ever.
const BYTES_PER_MS_MIN = 16;
// So many looks within each time: the accuracy is one of them.
const LOOKS = 4;

/** Looks now and then if a connection still gets on. It costs a timer while there is something to look at, and nothing per request. */
export class StallWatch {
  readonly #environment: Environment;
  readonly #times: WatchTimes;
  readonly #connection: WatchedConnection;
  readonly #stalled: (why: string) => void;
  #timer: Timer | null = null;
  #periodMs = 0;
  #receivedLength = 0;
  #messageCount = 0;
  #sentMark = 0;
  #receivingMs = 0;
  #sendingMs = 0;
  #idleMs = 0;
  readonly #look = (): void => this.#lookNow();

  constructor(
    environment: Environment,
    times: WatchTimes,
    connection: WatchedConnection,
    stalled: (why: string) => void,
  ) {
    this.#environment = environment;
    this.#times = times;
    this.#connection = connection;
    this.#stalled = stalled;
  }

  /** Looks from now on, if there is something to look at. */
  wake(): void {
    if (this.#timer !== null) return;
    const periodMs = this.#nextPeriodMs();
    if (periodMs === 0) return;
    this.#receivingMs = this.#sendingMs = this.#idleMs = 0;
    this.#note();
    this.#wait(periodMs);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #nextPeriodMs(): number {
    const { messageTimeoutMs, idleTimeoutMs } = this.#times;
    const { isReceivingMessage, isSending } = this.#connection;
    const times = [
      isReceivingMessage || isSending ? messageTimeoutMs : 0,
      // Always, because idleness starts without anything that happens.
      idleTimeoutMs,
    ].filter((time) => time > 0);
    return times.length === 0 ? 0 : Math.max(1, Math.min(...times) / LOOKS);
  }

  #wait(periodMs: number): void {
    this.#periodMs = periodMs;
    this.#timer = this.#environment.clock.after(periodMs, this.#look);
  }

  #note(): void {
    this.#receivedLength = this.#connection.receivedLength;
    this.#messageCount = this.#connection.messageCount;
    this.#sentMark = this.#connection.sentMark;
  }

  #lookNow(): void {
    this.#timer = null;
    const connection = this.#connection;
    const { messageTimeoutMs, idleTimeoutMs } = this.#times;
    const period = this.#periodMs;
    const cameLength = connection.receivedLength - this.#receivedLength;
    const isReceivingSlowly =
      connection.isReceivingMessage &&
      connection.messageCount === this.#messageCount &&
      cameLength < BYTES_PER_MS_MIN * period;
    const hasNotSent = connection.isSending && connection.sentMark === this.#sentMark;
    const isIdle = connection.isIdle && cameLength === 0 && connection.sentMark === this.#sentMark;
    this.#receivingMs = isReceivingSlowly ? this.#receivingMs + period : 0;
    this.#sendingMs = hasNotSent ? this.#sendingMs + period : 0;
    this.#idleMs = isIdle ? this.#idleMs + period : 0;
    this.#note();
    if (messageTimeoutMs > 0 && this.#receivingMs >= messageTimeoutMs)
      return this.#stalled(`half a message came, and not the rest within ${messageTimeoutMs} ms`);
    if (messageTimeoutMs > 0 && this.#sendingMs >= messageTimeoutMs)
      return this.#stalled(`it took none of its answers for ${messageTimeoutMs} ms`);
    if (idleTimeoutMs > 0 && this.#idleMs >= idleTimeoutMs)
      return this.#stalled(`it did nothing for ${idleTimeoutMs} ms`);
    const periodMs = this.#nextPeriodMs();
    if (periodMs > 0) this.#wait(periodMs);
  }
}

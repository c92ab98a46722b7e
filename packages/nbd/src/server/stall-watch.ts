import type { Environment, Timer } from "@cev/core";

/** A connection, as the watch sees it. The lengths and counts are since it was opened. */
export interface WatchedConnection {
  /** What is on its way, half of it here: a message that comes, answers that leave. */
  readonly isReceivingMessage: boolean;
  readonly isSending: boolean;
  /** Nothing is under way at all. */
  readonly isIdle: boolean;
  readonly receivedLength: number;
  readonly messageCount: number;
  readonly sentLength: number;
  /** Bytes of answers that have not left. */
  readonly unsentLength: number;
  /** Others wait for memory such as it holds. */
  readonly isInTheWay: boolean;
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

/**
 * Looks now and then if a connection still gets on. It costs a timer while there is something to look at, and nothing per
 * request. What a look finds counts for the time since the last one only where that found the same.
 */
export class StallWatch {
  readonly #environment: Environment;
  readonly #times: WatchTimes;
  readonly #connection: WatchedConnection;
  readonly #stalled: (why: string) => void;
  #timer: Timer | null = null;
  #periodMs = 0;
  // Of the timer: whether it is there for what is on its way, and not for idleness alone.
  #isForMessages = false;
  #wasReceiving = false;
  #wasSending = false;
  #wasIdle = false;
  #receivedLength = 0;
  #messageCount = 0;
  #sentLength = 0;
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
    if (this.#timer !== null && this.#isForMessages) return;
    const hasMessages = this.#hasMessages();
    if (this.#timer !== null && !hasMessages) return;
    if (!hasMessages && this.#times.idleTimeoutMs === 0) return;
    // Idleness is looked for at long intervals, too long for messages.
    this.stop();
    this.#receivingMs = this.#sendingMs = this.#idleMs = 0;
    this.#note();
    this.#wait(hasMessages);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #hasMessages(): boolean {
    if (this.#times.messageTimeoutMs === 0) return false;
    return this.#connection.isReceivingMessage || this.#connection.isSending;
  }

  #wait(isForMessages: boolean): void {
    const { messageTimeoutMs, idleTimeoutMs } = this.#times;
    let timeMs = isForMessages ? messageTimeoutMs : idleTimeoutMs;
    if (isForMessages && idleTimeoutMs > 0) timeMs = Math.min(timeMs, idleTimeoutMs);
    this.#isForMessages = isForMessages;
    this.#periodMs = Math.max(1, timeMs / LOOKS);
    this.#timer = this.#environment.clock.after(this.#periodMs, this.#look);
  }

  #note(): void {
    const connection = this.#connection;
    this.#wasReceiving = connection.isReceivingMessage;
    this.#wasSending = connection.isSending;
    this.#wasIdle = connection.isIdle;
    this.#receivedLength = connection.receivedLength;
    this.#messageCount = connection.messageCount;
    this.#sentLength = connection.sentLength;
  }

  #lookNow(): void {
    this.#timer = null;
    const { messageTimeoutMs, idleTimeoutMs } = this.#times;
    const period = this.#periodMs;
    this.#receivingMs = this.#isReceivingSlowly() ? this.#receivingMs + period : 0;
    this.#sendingMs = this.#isSendingSlowly() ? this.#sendingMs + period : 0;
    this.#idleMs = this.#isIdle() ? this.#idleMs + period : 0;
    this.#note();
    if (messageTimeoutMs > 0 && this.#receivingMs >= messageTimeoutMs)
      return this.#stalled(`half a message came, and not the rest within ${messageTimeoutMs} ms`);
    if (messageTimeoutMs > 0 && this.#sendingMs >= messageTimeoutMs)
      return this.#stalled(`it took none of its answers for ${messageTimeoutMs} ms, or too little of them`);
    if (idleTimeoutMs > 0 && this.#idleMs >= idleTimeoutMs)
      return this.#stalled(`it did nothing for ${idleTimeoutMs} ms`);
    const hasMessages = this.#hasMessages();
    if (hasMessages || idleTimeoutMs > 0) this.#wait(hasMessages);
  }

  #isReceivingSlowly(): boolean {
    const connection = this.#connection;
    return (
      this.#wasReceiving &&
      connection.isReceivingMessage &&
      connection.messageCount === this.#messageCount &&
      connection.receivedLength - this.#receivedLength < BYTES_PER_MS_MIN * this.#periodMs
    );
  }

  /** Nothing at all left; or, where others wait for the memory, so little that it would take longer than the time for a message. */
  #isSendingSlowly(): boolean {
    const connection = this.#connection;
    if (!this.#wasSending || !connection.isSending) return false;
    const leftLength = connection.sentLength - this.#sentLength;
    if (leftLength <= 0) return true;
    const perMs = Math.max(BYTES_PER_MS_MIN, connection.unsentLength / this.#times.messageTimeoutMs);
    return connection.isInTheWay && leftLength < perMs * this.#periodMs;
  }

  #isIdle(): boolean {
    const connection = this.#connection;
    return (
      this.#wasIdle &&
      connection.isIdle &&
      connection.receivedLength === this.#receivedLength &&
      connection.sentLength === this.#sentLength
    );
  }
}

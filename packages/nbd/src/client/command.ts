import type { CancelTarget, CevError, Completion, Io, RangeLockEntry } from "@cev/core";
import type { StatusExtent } from "../protocol/chunk.ts";
import { Scatter } from "./scatter.ts";

/** Who owns commands, and hears when one that waits or is under way is not wanted any more. */
export interface CommandOwner {
  cancelled(command: ClientCommand): void;
  /** It may write now: nothing else writes there. */
  granted(command: ClientCommand, lock: RangeLockEntry): void;
}

/**
 * Where a command is. `free`: nowhere. `locking`: waits for writes of the same range. `waiting`: for a connection, or for room.
 * `queued`: on a connection, not sent. `sent`: perhaps already answered in part. `answered`: but its memory is still being sent.
 */
export type CommandState = "free" | "locking" | "waiting" | "queued" | "sent" | "answered";

/** A request to the server, from its beginning to its answer, over as many connections as that takes. Used again. */
export class ClientCommand implements CancelTarget {
  state: CommandState = "free";
  /** Whose it is; null: the session's own, or nobody's any more. */
  io: Io | null = null;
  /** `Command`, `CommandFlag`s, bytes. */
  command = 0;
  flags = 0;
  offset: number = Number.NaN;
  length: number = Number.NaN;
  /** What is written, or read into; null: what comes is thrown away. */
  data: Uint8Array | null = null;
  dataOffset = 0;
  /** It stands in for one that was cancelled, and takes the rest of its answer. */
  isForNobody = false;
  /** Place on its connection, and how often that was used: together the cookie, so that a late answer fits nothing. */
  slot = -1;
  generation = 0;
  /** Held by what writes, so that what is answered later lies on the disk later. */
  lock: RangeLockEntry | null = null;
  /** Bytes that its copy will take once it is answered, and how many of them are set aside. */
  cost = 0;
  reserved = 0;
  /** How often it was lost with a connection. */
  lossCount = 0;
  /** Of a flush: how many answers came before it was sent, and how many flushes had failed. */
  mark = 0;
  doubt = 0;
  /** The answer: an error number of the protocol, 0 for success. */
  errno = 0;
  /** What the server says of it. */
  text: string | null = null;
  /** Of a read that failed: bytes that came before. */
  transferred = 0;
  /** Of a read: which parts have come. */
  readonly scatter: Scatter = new Scatter();
  /** Of a status request. */
  extents: StatusExtent[] | null = null;
  /** Of the session's own: who waits for it. Null error: see `errno`. */
  ended: ((command: ClientCommand, error: CevError | null) => void) | null = null;
  readonly #owner: CommandOwner;

  constructor(owner: CommandOwner) {
    this.#owner = owner;
    this.offset = 0;
    this.length = 0;
  }

  /** Forgets an answer that has begun: it is asked again. */
  restart(): void {
    this.errno = 0;
    this.text = null;
    this.transferred = 0;
    this.extents = null;
    this.slot = -1;
    this.scatter.begin(this.length);
  }

  /** Makes it ready for another use. */
  clear(): void {
    this.state = "free";
    this.io = null;
    this.data = null;
    this.dataOffset = 0;
    this.lock = null;
    this.cost = 0;
    this.lossCount = 0;
    this.ended = null;
    this.flags = 0;
  }

  /** Takes its `Io` away, to end it early. */
  takeIo(): Io | null {
    const { io } = this;
    this.io = null;
    this.data = null;
    return io;
  }

  granted(lock: RangeLockEntry): void {
    this.#owner.granted(this, lock);
  }

  onCancel(event: Completion): void {
    if (event === this.io) this.#owner.cancelled(this);
  }
}

/** For a lock on a range: tells the owner. */
export function lockGranted(lock: RangeLockEntry, command: ClientCommand): void {
  command.granted(lock);
}

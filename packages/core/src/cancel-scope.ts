import { ioError } from "./io.ts";
import type { Io } from "./io.ts";

/** The part of an `AbortSignal` that is used. */
export interface AbortSignalLike {
  readonly aborted: boolean;
  addEventListener(type: "abort", listener: () => void): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

interface Link {
  io: Io | null;
  previous: Link | null;
  next: Link | null;
  readonly scope: CancelScope;
}

/**
 * All `Io`s that one abort signal cancels: one listener on the signal, whatever their number, and a list that
 * an `Io` enters and leaves in constant time without allocation.
 */
export class CancelScope {
  readonly #signal: AbortSignalLike;
  #first: Link | null = null;
  #free: Link | null = null;
  readonly #abort = (): void => {
    // A cancelled Io may end at once, leave the list, and be used again: so the list is read before the first is told.
    const under: { readonly io: Io; readonly generation: number }[] = [];
    for (let link = this.#first; link !== null; link = link.next) {
      if (link.io !== null) under.push({ io: link.io, generation: link.io.generation });
    }
    for (const { io, generation } of under) if (io.generation === generation) io.cancel();
  };

  constructor(signal: AbortSignalLike) {
    this.#signal = signal;
    signal.addEventListener("abort", this.#abort);
  }

  /** Puts an `Io` in, before it is submitted; it leaves by itself. False (and the `Io` ended) when the signal has fired. */
  add(io: Io): boolean {
    if (this.#signal.aborted) {
      io.complete(ioError(io, "CEV_CANCELLED", "the signal had fired before the request was made", "device"));
      return false;
    }
    let link = this.#free;
    if (link === null) link = { io, previous: null, next: null, scope: this };
    else this.#free = link.next;
    link.io = io;
    link.previous = null;
    link.next = this.#first;
    if (this.#first !== null) this.#first.previous = link;
    this.#first = link;
    io.pushAction(leaveScope, link);
    return true;
  }

  /** Takes the listener off the signal. `Io`s that are still in are no longer cancelled by it. */
  close(): void {
    this.#signal.removeEventListener("abort", this.#abort);
  }

  /** @internal */
  leave(link: Link): void {
    if (link.previous === null) this.#first = link.next;
    else link.previous.next = link.next;
    if (link.next !== null) link.next.previous = link.previous;
    link.io = null;
    link.next = this.#free;
    this.#free = link;
  }
}

function leaveScope(_io: Io, link: Link): void {
  link.scope.leave(link);
}

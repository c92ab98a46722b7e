import type { CancelTarget, Io, PoolBuffer } from "@cev/core";
import type { CipherPart } from "../cipher/sector-cipher.ts";
import type { CryptLayer } from "./crypt-layer.ts";
import type { WriteGroup } from "./write-group.ts";

const NO_DATA = new Uint8Array(0);

/** A write on its way: what is the caller's, and the buffer that goes down in its place. Used again and again. */
export class WriteRequest implements CancelTarget, CipherPart {
  readonly owner: CryptLayer;
  io: Io | null = null;
  /** Number of the first unit. */
  sector: number = Number.NaN;
  data: Uint8Array = NO_DATA;
  dataOffset = 0;
  length: number = Number.NaN;
  /** Null while it waits, for memory or for the end of a burst. */
  buffer: PoolBuffer | null = null;
  /** Those with which it shares the buffer; null: it has one to itself. */
  group: WriteGroup | null = null;
  /** @internal Among `WaitingWrites`, with its neighbours there. */
  isWaiting = false;
  /** @internal */
  previous: WriteRequest | null = null;
  /** @internal */
  next: WriteRequest | null = null;

  constructor(owner: CryptLayer) {
    this.owner = owner;
    this.sector = 0;
    this.length = 0;
  }

  begin(io: Io, sector: number): void {
    this.io = io;
    this.sector = sector;
    this.data = io.data;
    this.dataOffset = io.dataOffset;
    this.length = io.length;
  }

  clear(): void {
    this.io = null;
    this.data = NO_DATA;
    this.buffer = null;
    this.group = null;
  }

  onCancel(): void {
    this.owner.cancelWaiting(this);
  }
}

/** Writes that wait for memory, first come first served: a list, for there may be very many, and any of them may be cancelled. */
export class WaitingWrites {
  #first: WriteRequest | null = null;
  #last: WriteRequest | null = null;

  get first(): WriteRequest | null {
    return this.#first;
  }

  add(request: WriteRequest): void {
    const last = this.#last;
    request.isWaiting = true;
    request.previous = last;
    if (last === null) this.#first = request;
    else last.next = request;
    this.#last = request;
  }

  /** Precondition: it waits. */
  remove(request: WriteRequest): void {
    const { previous, next } = request;
    if (previous === null) this.#first = next;
    else previous.next = next;
    if (next === null) this.#last = previous;
    else next.previous = previous;
    request.isWaiting = false;
    request.previous = null;
    request.next = null;
  }
}

import { Io } from "@cev/core";
import type { PoolBuffer, RunQueue } from "@cev/core";
import type { Releasable } from "./reply-writer.ts";
import type { MemoryHolder } from "../../memory/memory-taker.ts";
import type { SharedBuffer } from "../../memory/shared-buffer.ts";
import type { FenceUser, FencedRequest } from "./write-fence.ts";

const NO_BYTES = new Uint8Array(0);

/** Who works on a request. */
export interface RequestOwner extends FenceUser {
  /** Its `Io` has ended. */
  ended(request: Request): void;
  /** Nobody needs it any more. */
  released(request: Request): void;
}

/** One request of a client, from its message to the last byte of its reply. Used again. */
export class Request implements Releasable, FencedRequest, MemoryHolder {
  readonly io: Io;
  readonly owner: RequestOwner;
  command = 0;
  flags = 0;
  /** The client's cookie, in signed halves. */
  cookieHigh = 0;
  cookieLow = 0;
  /** From its head to its release. */
  isTaken = false;
  /** As the client sent them. NaN first, as in `Io`: so that they are kept as doubles. */
  offset: number = Number.NaN;
  length: number = Number.NaN;
  /** Bytes of memory that it keeps busy. */
  load = 0;
  /** Bytes that it has of what all connections may take together. */
  taken = 0;
  /** When its head was read, where requests are traced; and what its client was told. */
  startedAt: number = Number.NaN;
  errno = 0;
  /** Memory of its own, or none. */
  bytes: Uint8Array = NO_BYTES;
  lent: PoolBuffer | null = null;
  /** The connection's memory in which its data lies, held by it; or none. */
  shared: SharedBuffer | null = null;
  /** A request of the burst that is on, and whether it has ended meanwhile: at the end of the burst it counts as ended at once. */
  keeping: "no" | "kept" | "ended" | "failed" = "no";
  /** Where its reply starts there. */
  replyAt = 0;
  fencing: FencedRequest["fencing"] = "no";
  fenceOrder = 0;
  fenceIndex = 0;
  fenceCount = 0;

  constructor(owner: RequestOwner, runQueue: RunQueue) {
    this.owner = owner;
    this.io = new Io(runQueue);
    this.offset = 0;
    this.length = 0;
    this.startedAt = 0;
  }

  /** Its reply has left. */
  release(): void {
    this.owner.released(this);
  }
}

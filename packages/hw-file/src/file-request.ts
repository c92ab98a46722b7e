import { Op, ProgramError, ioError, opName } from "@cev/core";
import type { CancelTarget, Io } from "@cev/core";
import type { CallEnded } from "./file-calls.ts";

/**
 * Where a request stands. `waiting`: for a free place, or for the next sync. `done`: about to complete. `ended`: completed while it waited, by
 * a cancel; whoever holds it frees it. Without an `Io`, `underWay`: somebody else completed that, and the system has it still.
 */
export type RequestState = "free" | "waiting" | "underWay" | "done" | "ended";

/** What a `FileRequest` tells of its end. */
export interface RequestOwner {
  readonly name: string;
  callEnded(request: FileRequest, error: NodeJS.ErrnoException | null, count: number): void;
  /** Its `Io` has ended. */
  left(): void;
  /** It is free again. */
  release(request: FileRequest): void;
}

/** One `Io` on its way through a `FileLayer`. Reused, with its callback, so that no request allocates. */
export class FileRequest implements CancelTarget {
  readonly owner: RequestOwner;
  io: Io | null = null;
  state: RequestState = "free";
  /** Bytes done. */
  done = 0;
  /** Zeroes that turned out to need writing. */
  mustWrite = false;
  /** Neighbours that are served by the same call, this one first; empty when it is alone. */
  readonly gathered: FileRequest[] = [];
  readonly ended: CallEnded = (error, count) => this.owner.callEnded(this, error, count);

  constructor(owner: RequestOwner) {
    this.owner = owner;
  }

  /** Takes an `Io` in. */
  begin(io: Io): void {
    this.io = io;
    this.state = "waiting";
    this.done = 0;
    this.mustWrite = false;
    io.pushAction(leaveRequest, this);
  }

  /** A request that only waits ends at once; one that the system has cannot be called back. */
  onCancel(): void {
    const io = this.io;
    if (this.state !== "waiting" || io === null) return;
    // A write that waits to be made durable has happened already: its sync is all that is cancelled.
    if (io.op !== Op.flush) io.transferred = this.done;
    this.state = "ended";
    io.complete(ioError(io, "CEV_CANCELLED", "cancelled while it waited", this.owner.name));
  }
}

function leaveRequest(io: Io, request: FileRequest): void {
  request.io = null;
  request.owner.left();
  if (request.state === "done") request.owner.release(request);
  else if (request.state !== "ended") leftTooEarly(io, request);
}

/** The layer above handed it down and completed it all the same: it would complete again here. The stack of the error says who. */
function leftTooEarly(io: Io, request: FileRequest): void {
  if (request.state === "waiting") request.state = "ended";
  const what = `${opName(io.op)} of ${io.length} bytes at ${io.offset}`;
  io.runQueue.report(
    new ProgramError(
      `${request.owner.name}: a request was completed twice: a layer above ended it while it was here (${what})`,
    ),
  );
}

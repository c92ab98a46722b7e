import { EventState } from "@cev/core";
import type { CevError, Io } from "@cev/core";

/** Ends a request of a write or a reconstruction with this outcome, whether its chain has begun, runs, or is held. */
export function endIo(io: Io, error: CevError | null): void {
  if (io.state === EventState.pending) {
    io.complete(error);
    return;
  }
  io.error = error;
  io.transferred = error === null ? io.length : 0;
  if (io.state === EventState.held) io.resume();
}

/** What follows comes in a later turn: the chain of actions, where it runs, must wait for it. */
export function holdChain(io: Io): void {
  if (io.state === EventState.running) io.hold();
}

/** The request is under way again, for the next of its phases. */
export function restartIo(io: Io): void {
  if (io.state !== EventState.pending) io.restart();
}

import type { ComebackOptions } from "./comeback.ts";

/** What a session is told. */
export interface SessionOptions extends ComebackOptions {
  /** Whether what was answered and not flushed is kept, to be written again. */
  readonly keepsUnflushed: boolean;
  /** Bytes of memory for that. */
  readonly unflushedMax: number;
  /** How long an answer may take before the connection counts as lost; 0: for ever. */
  readonly requestTimeoutMs: number;
}

/**
 * `live`: requests are sent. `pausing`: none is, and those under way are waited for, because all has to be written again.
 * `leaving`: the server shuts down, and does what is under way. `lost`: there is no connection, and one is sought. `resuming`: what may be lost is written again. `dead`: given up.
 */
export type SessionState = "live" | "pausing" | "leaving" | "lost" | "resuming" | "dead" | "closed";

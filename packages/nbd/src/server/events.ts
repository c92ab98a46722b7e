import type { CevError } from "@cev/core";
import type { Security } from "../tls/security.ts";

/** What one connection has done, from its first byte to its last. */
export interface ConnectionFigures {
  /** Requests that were taken, refused ones included. */
  readonly requestCount: number;
  /** Bytes of data that it was given, and that it gave. */
  readonly bytesRead: number;
  readonly bytesWritten: number;
  readonly durationMs: number;
}

/** Something that happened, for logs. Connections are numbered from 1. */
export type NbdEvent =
  | { readonly kind: "opened"; readonly connection: number; readonly peer: string }
  /** The handshake has ended with this export. */
  | {
      readonly kind: "chosen";
      readonly connection: number;
      readonly peer: string;
      readonly export: string;
      readonly security: Security;
    }
  /**
   * `error`: why, unless the client ended it as the protocol has it. `CEV_DEVICE_LOST`: it broke, with what the system said as
   * its cause.
   */
  | {
      readonly kind: "closed";
      readonly connection: number;
      readonly peer: string;
      readonly export: string | null;
      readonly security: Security;
      readonly figures: ConnectionFigures;
      readonly error: CevError | null;
    }
  /** There were `connectionsMax` connections already. */
  | { readonly kind: "turnedAway"; readonly peer: string }
  /** The server works, and clients may refuse it all the same: its certificate has expired, or is not valid yet. */
  | { readonly kind: "warning"; readonly message: string }
  /** Of a listening socket. */
  | { readonly kind: "error"; readonly error: Error };

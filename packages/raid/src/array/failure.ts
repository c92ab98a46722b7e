import { ioError, isCevError } from "@cev/core";
import type { CevError, Io, IoError } from "@cev/core";

/**
 * What an error of a member means. `range`: this range cannot be read, the member lives. `lost`: the member is gone.
 * `request`: it says nothing about the member (cancelled, out of memory, a program error).
 */
export type Failure = "range" | "lost" | "request";

/** What a failed read says about the member. */
export function readFailureOf(error: CevError): Failure {
  switch (error.code) {
    case "CEV_MEDIUM":
    case "CEV_IO":
    case "CEV_TIMED_OUT":
    case "CEV_BAD_METADATA":
    // Of an array below that has lost too much: the others may have it.
    case "CEV_DEGRADED":
      return "range";
    case "CEV_DEVICE_LOST":
    case "CEV_CLOSED":
      return "lost";
    default:
      return "request";
  }
}

/** The error of a request that needs more redundancy than there is. */
export function degradedError(io: Io, layer: string, message: string, cause?: unknown): IoError {
  const because = isCevError(cause) ? `: ${cause.message}` : "";
  return ioError(io, "CEV_DEGRADED", `${message}${because}`, layer, cause);
}

/** The error of a request that was cancelled before anything of it was done. */
export function cancelled(io: Io, layer: string): IoError {
  return ioError(io, "CEV_CANCELLED", "cancelled before it was begun", layer);
}

/** The error of a request that needs more memory at once than the pool may ever lend. */
export function noMemory(io: Io, layer: string, length: number): IoError {
  return ioError(
    io,
    "CEV_NO_MEMORY",
    `${length} bytes are needed at once, more than the pool may lend`,
    layer,
  );
}

import { connect } from "node:net";
import type { Socket } from "node:net";
import { CevError } from "@cev/core";
import { DEFAULT_PORT } from "./listen.ts";

// A machine that is gone is found out by this many milliseconds of silence, if it has acknowledged all that was sent: as long as
// it has not, Linux sends that again, for some quarter of an hour, and asks nothing.
const KEEPALIVE_MS = 10_000;

/** Where a server is. */
export type ConnectAddress = { readonly path: string } | { readonly host: string; readonly port?: number };

/**
 * Connects, and gives a paused socket, as `socketTransport` wants it. Fails with `CEV_NOT_FOUND` (no such host or socket),
 * `CEV_DEVICE_LOST` (nobody listens there), `CEV_ACCESS`, `CEV_TIMED_OUT`, `CEV_IO`; with the signal's reason when that comes
 * before.
 */
export function connectTo(address: ConnectAddress, signal: AbortSignal): Promise<Socket> {
  const source = "path" in address ? address.path : `${address.host}:${address.port ?? DEFAULT_PORT}`;
  return new Promise((resolve, reject) => {
    const common = { allowHalfOpen: true };
    const socket =
      "path" in address
        ? connect({ path: address.path, ...common })
        : connect({
            host: address.host,
            port: address.port ?? DEFAULT_PORT,
            noDelay: true,
            keepAlive: true,
            keepAliveInitialDelay: KEEPALIVE_MS,
            ...common,
          });
    // Nothing is read before the one who will read has come.
    socket.pause();
    const onAbort = (): void => {
      socket.destroy();
      reject(signal.reason as Error);
    };
    const onError = (cause: NodeJS.ErrnoException): void => {
      signal.removeEventListener("abort", onAbort);
      reject(connectError(cause, source));
    };
    socket.once("error", onError);
    socket.once("connect", () => {
      signal.removeEventListener("abort", onAbort);
      socket.off("error", onError);
      resolve(socket);
    });
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
}

function connectError(cause: NodeJS.ErrnoException, source: string): CevError {
  switch (cause.code) {
    case "ENOENT":
    case "ENOTFOUND":
    case "EAI_AGAIN":
    case "EADDRNOTAVAIL":
      return new CevError("CEV_NOT_FOUND", "there is no such address", {
        source,
        hint: "check the name of the host or the path of the socket, and start the server first",
        cause,
      });
    case "EACCES":
    case "EPERM":
      return new CevError("CEV_ACCESS", "the system does not let this user connect", { source, cause });
    case "ECONNREFUSED":
      return new CevError("CEV_DEVICE_LOST", "nobody listens there", { source, cause });
    case "ETIMEDOUT":
      return new CevError("CEV_TIMED_OUT", "nobody answered", { source, cause });
    default:
      return new CevError("CEV_IO", `cannot connect: ${cause.message}`, { source, cause });
  }
}

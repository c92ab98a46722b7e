import type { Server } from "node:net";
import { CevError } from "@cev/core";
import { refuseUnknown } from "../known-keys.ts";
import type { Known } from "../known-keys.ts";
import { bindSocketFile, judgePath, removeStale } from "./socket-file.ts";
import type { FileOwner } from "./socket-file.ts";

/**
 * A Unix socket. `mode`: permissions of the socket file, such as 0o600; by default what the process's umask leaves. `owner`:
 * whom the file is given to; by default whoever runs the process.
 */
export interface UnixAddress {
  readonly path: string;
  readonly mode?: number;
  readonly owner?: FileOwner;
}

/** A socket that listens already, opened by whoever started this process. Its file, if it has one, is left where it is. */
export interface InheritedSocket {
  readonly fd: number;
}

/** A TCP port; 0 takes a free one. By default 10809, on this machine alone. */
export interface TcpAddress {
  readonly host?: string;
  readonly port?: number;
}

/** Where a server listens, as it turned out. */
export type BoundAddress =
  | { readonly path: string }
  | { readonly host: string; readonly port: number }
  /** A Unix socket that was inherited: where its file lies is not known. */
  | InheritedSocket;

/** The port that is registered for NBD. */
export const DEFAULT_PORT = 10_809;

const UNIX: Known<UnixAddress> = { path: true, mode: true, owner: true };
const OWNER: Known<FileOwner> = { uid: true, gid: true };
const TCP: Known<TcpAddress> = { host: true, port: true };
const INHERITED: Known<InheritedSocket> = { fd: true };

/** Starts to listen. A socket file that a dead server left behind is replaced; one that answers is `CEV_BUSY`. */
export async function listenOn(
  server: Server,
  address: UnixAddress | TcpAddress | InheritedSocket,
): Promise<BoundAddress> {
  if ("fd" in address) {
    refuseUnknown(address, INHERITED, "of an inherited socket");
    const { fd } = address;
    await tryListen(server, () => server.listen({ fd }), `file descriptor ${fd}`);
    return boundTo(server) ?? { fd };
  }
  if (!("path" in address)) {
    refuseUnknown(address, TCP, "of a TCP address");
    const { host = "localhost", port = DEFAULT_PORT } = address;
    await tryListen(server, () => server.listen({ host, port }), `${host}:${port}`);
    return boundTo(server) ?? { host, port };
  }
  refuseUnknown(address, UNIX, "of a Unix socket");
  if (address.owner !== undefined) refuseUnknown(address.owner, OWNER, "of the owner of a Unix socket");
  const { path } = address;
  const start = (): void => bindSocketFile(path, address, () => server.listen({ path }).listening);
  try {
    await tryListen(server, start, path);
  } catch (error) {
    const wrongPath = judgePath(path, error);
    if (wrongPath !== null) throw wrongPath;
    if (!(error instanceof CevError) || error.code !== "CEV_BUSY" || !(await removeStale(path))) throw error;
    await tryListen(server, start, path);
  }
  return { path };
}

function boundTo(server: Server): BoundAddress | null {
  const bound = server.address();
  return bound === null || typeof bound === "string" ? null : { host: bound.address, port: bound.port };
}

/** What clients are given to connect. `isSecure`: they are to insist on TLS. Of an inherited socket the path is left out. */
export function nbdUri(address: BoundAddress, exportName: string, isSecure = false): string {
  const name = encodeURIComponent(exportName);
  const scheme = isSecure ? "nbds" : "nbd";
  if ("fd" in address) return `${scheme}+unix:///${name}`;
  if ("path" in address)
    return `${scheme}+unix:///${name}?socket=${encodeURIComponent(address.path).replaceAll("%2F", "/")}`;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `${scheme}://${host}:${address.port}/${name}`;
}

function tryListen(server: Server, start: () => void, source: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (cause: NodeJS.ErrnoException): void => {
      server.off("listening", onListening);
      reject(listenError(cause, source));
    };
    const onListening = (): void => {
      server.off("error", onError);
      resolve();
    };
    server.once("error", onError);
    server.once("listening", onListening);
    try {
      start();
    } catch (error) {
      server.off("error", onError);
      server.off("listening", onListening);
      server.close();
      reject(error);
    }
  });
}

function listenError(cause: NodeJS.ErrnoException, source: string): CevError {
  switch (cause.code) {
    case "EADDRINUSE":
      return new CevError("CEV_BUSY", "something listens here already", {
        source,
        hint: "end it first, or choose another address",
        cause,
      });
    case "EACCES":
    case "EPERM":
      return new CevError("CEV_ACCESS", "the system does not let this user listen here", { source, cause });
    case "ENOENT":
    case "ENOTFOUND":
    case "EADDRNOTAVAIL":
      return new CevError("CEV_NOT_FOUND", "there is no such address", {
        source,
        hint: "name an address of this machine; 0.0.0.0 and [::] are all of them",
        cause,
      });
    default:
      return new CevError("CEV_IO", `cannot listen: ${cause.message}`, { source, cause });
  }
}

import { chmodSync, lstatSync, statSync, unlinkSync } from "node:fs";
import { connect } from "node:net";
import type { Server } from "node:net";
import { dirname } from "node:path";
import { umask } from "node:process";
import { CevError } from "@cev/core";
import type { ErrorCode } from "@cev/core";

/** A Unix socket. `mode`: permissions of the socket file, such as 0o600; by default what the process's umask leaves. */
export interface UnixAddress {
  readonly path: string;
  readonly mode?: number;
}

/** A TCP port; 0 takes a free one. By default 10809, on this machine alone. */
export interface TcpAddress {
  readonly host?: string;
  readonly port?: number;
}

/** Where a server listens, as it turned out. */
export type BoundAddress = { readonly path: string } | { readonly host: string; readonly port: number };

/** The port that is registered for NBD. */
export const DEFAULT_PORT = 10_809;

/** Bytes of a Unix socket's path. */
const PATH_LENGTH_MAX = process.platform === "darwin" ? 103 : 107;

/** Starts to listen. A socket file that a dead server left behind is replaced; one that answers is `CEV_BUSY`. */
export async function listenOn(server: Server, address: UnixAddress | TcpAddress): Promise<BoundAddress> {
  if (!("path" in address)) {
    const { host = "localhost", port = DEFAULT_PORT } = address;
    await tryListen(server, () => server.listen({ host, port }), `${host}:${port}`);
    const bound = server.address();
    if (bound === null || typeof bound === "string") return { host, port };
    return { host: bound.address, port: bound.port };
  }
  const { path, mode } = address;
  const start = (): void => listenWithMode(server, path, mode);
  try {
    await tryListen(server, start, path);
  } catch (error) {
    const wrongPath = judgePath(path, error);
    if (wrongPath !== null) throw wrongPath;
    if (!(error instanceof CevError) || error.code !== "CEV_BUSY" || !(await isStale(path))) throw error;
    unlinkSync(path);
    await tryListen(server, start, path);
  }
  return { path };
}

/** What clients are given to connect. */
export function nbdUri(address: BoundAddress, exportName: string): string {
  const name = encodeURIComponent(exportName);
  if ("path" in address)
    return `nbd+unix:///${name}?socket=${encodeURIComponent(address.path).replaceAll("%2F", "/")}`;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `nbd://${host}:${address.port}/${name}`;
}

function listenWithMode(server: Server, path: string, mode: number | undefined): void {
  if (mode === undefined) {
    server.listen({ path });
    return;
  }
  // The file is made while `listen` runs, so nobody gets in before its mode is right; worker threads have no umask to set.
  let before: number | null = null;
  try {
    before = umask(0o777 & ~mode);
  } catch {
    server.once("listening", () => chmodSync(path, mode));
  }
  try {
    server.listen({ path });
  } finally {
    if (before !== null) umask(before);
  }
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
    start();
  });
}

function listenError(cause: NodeJS.ErrnoException, source: string): CevError {
  switch (cause.code) {
    case "EADDRINUSE":
      return new CevError("CEV_BUSY", "something listens here already", { source, cause });
    case "EACCES":
    case "EPERM":
      return new CevError("CEV_ACCESS", "the system does not let this user listen here", { source, cause });
    case "ENOENT":
    case "ENOTFOUND":
    case "EADDRNOTAVAIL":
      return new CevError("CEV_NOT_FOUND", "there is no such address", { source, cause });
    default:
      return new CevError("CEV_IO", `cannot listen: ${cause.message}`, { source, cause });
  }
}

/** What is wrong with the path of a socket: the system has the same few words for much of it. */
function judgePath(path: string, cause: unknown): CevError | null {
  // Linux: a name that is no file's.
  if (path.startsWith("\0")) return null;
  const length = Buffer.byteLength(path);
  const error = (code: ErrorCode, message: string): CevError =>
    new CevError(code, message, { source: path, cause });
  if (length > PATH_LENGTH_MAX) {
    return error(
      "CEV_INVALID",
      `its path has ${length} bytes, more than the system allows: 107 on Linux, 103 on macOS`,
    );
  }
  const folder = statSync(dirname(path), { throwIfNoEntry: false });
  if (folder === undefined) return error("CEV_NOT_FOUND", `there is no folder ${dirname(path)}`);
  if (!folder.isDirectory()) return error("CEV_NOT_FOUND", `${dirname(path)} is no folder`);
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found !== undefined && !found.isSocket())
    return error("CEV_BUSY", "a file that is no socket has this name");
  return null;
}

/** True for a socket file behind which nobody listens any more. Files of any other kind are never touched. */
async function isStale(path: string): Promise<boolean> {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() !== true) return false;
  return new Promise((resolve) => {
    const probe = connect({ path });
    probe.once("connect", () => {
      probe.destroy();
      resolve(false);
    });
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "ECONNREFUSED"));
  });
}

import { chmodSync, lchownSync, lstatSync, statSync, unlinkSync } from "node:fs";
import { connect } from "node:net";
import { dirname } from "node:path";
import { umask } from "node:process";
import { CevError } from "@cev/core";
import type { ErrorCode } from "@cev/core";

/** Whom a file belongs to, by the numbers of the system. */
export interface FileOwner {
  readonly uid: number;
  readonly gid: number;
}

/** Who may use a socket file. */
export interface SocketAccess {
  readonly mode?: number;
  readonly owner?: FileOwner;
}

/** Bytes of a Unix socket's path. */
const PATH_LENGTH_MAX = process.platform === "darwin" ? 103 : 107;

/**
 * Runs `bind`, which makes the socket file and listens and tells if it did, so that nobody gets in before mode and owner are right. Worker threads
 * have no umask to set: there the mode is right a moment later. Throws `CEV_ACCESS` when the file cannot be given away.
 */
export function bindSocketFile(path: string, { mode, owner }: SocketAccess, bind: () => boolean): void {
  if (mode === undefined && owner === undefined) {
    bind();
    return;
  }
  const before = trySetUmask(owner === undefined ? 0o777 & ~mode! : 0o777);
  let isBound = false;
  try {
    isBound = bind();
  } finally {
    if (before !== null) umask(before);
  }
  // Where it failed the file is somebody else's.
  if (!isBound) return;
  if (owner !== undefined) giveAway(path, owner);
  if (owner !== undefined || before === null) chmodSync(path, mode ?? 0o777 & ~(before ?? 0o077));
}

function trySetUmask(mask: number): number | null {
  try {
    return umask(mask);
  } catch {
    return null;
  }
}

function giveAway(path: string, { uid, gid }: FileOwner): void {
  try {
    lchownSync(path, uid, gid);
  } catch (cause) {
    throw new CevError("CEV_ACCESS", "the system does not let this user give the socket to another", {
      source: path,
      cause,
    });
  }
}

/** What is wrong with the path of a socket: the system has the same few words for much of it. */
export function judgePath(path: string, cause: unknown): CevError | null {
  // Linux: a name that is no file's.
  if (path.startsWith("\0")) return null;
  const length = Buffer.byteLength(path);
  const error = (code: ErrorCode, message: string, hint?: string): CevError =>
    new CevError(code, message, { source: path, ...(hint === undefined ? {} : { hint }), cause });
  if (length > PATH_LENGTH_MAX) {
    return error(
      "CEV_INVALID",
      `its path has ${length} bytes, more than the system allows: 107 on Linux, 103 on macOS`,
    );
  }
  const folder = statSync(dirname(path), { throwIfNoEntry: false });
  if (folder === undefined)
    return error("CEV_NOT_FOUND", `there is no folder ${dirname(path)}`, "make it first with mkdir");
  if (!folder.isDirectory()) return error("CEV_NOT_FOUND", `${dirname(path)} is no folder`);
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found !== undefined && !found.isSocket())
    return error("CEV_BUSY", "a file that is no socket has this name");
  return null;
}

/** Removes a socket file behind which nobody listens any more. False: there is none such; files of any other kind are never touched. */
export async function removeStale(path: string): Promise<boolean> {
  const before = lstatSync(path, { throwIfNoEntry: false });
  if (before?.isSocket() !== true) return false;
  const isStale = await new Promise<boolean>((resolve) => {
    const probe = connect({ path });
    probe.once("connect", () => {
      probe.destroy();
      resolve(false);
    });
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "ECONNREFUSED"));
  });
  if (!isStale) return false;
  // Another starter may have found the same meanwhile, and listen there by now: its file is not this one.
  const after = lstatSync(path, { throwIfNoEntry: false });
  if (after?.ino === before.ino && after.ctimeMs === before.ctimeMs) unlinkSync(path);
  return true;
}

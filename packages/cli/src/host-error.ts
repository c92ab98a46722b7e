import { CevError, isCevError } from "@cev/core";
import type { ErrorCode } from "@cev/core";

const KNOWN: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  ENOENT: ["CEV_NOT_FOUND", "there is no such file or folder"],
  EACCES: ["CEV_ACCESS", "the system does not let this user open it"],
  EPERM: ["CEV_ACCESS", "the system does not let this user open it"],
  EEXIST: ["CEV_BUSY", "there is such a file already"],
  EBUSY: ["CEV_BUSY", "it is in use, perhaps mounted"],
  EISDIR: ["CEV_INVALID", "this is a folder"],
  ENOTDIR: ["CEV_INVALID", "a part of this path is no folder"],
  ENOSPC: ["CEV_NO_SPACE", "no room is left"],
  EDQUOT: ["CEV_NO_SPACE", "the quota is used up"],
  EFBIG: ["CEV_NO_SPACE", "the file would be too large for its file system"],
  EROFS: ["CEV_READ_ONLY", "its file system is mounted read-only"],
  EPIPE: ["CEV_IO", "whoever read the output went away before its end"],
  EADDRINUSE: ["CEV_BUSY", "this address is in use"],
  EADDRNOTAVAIL: ["CEV_INVALID", "this machine has no such address"],
};

/** What the system said of a path or an address, as an error with a code. */
export function hostError(source: string, error: unknown): CevError {
  if (isCevError(error)) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const known = KNOWN[code];
  const message = error instanceof Error ? error.message : String(error);
  return known === undefined
    ? new CevError("CEV_IO", message, { source, cause: error })
    : new CevError(known[0], known[1], { source, cause: error });
}

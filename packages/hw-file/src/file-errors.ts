import { CevError, Op } from "@cev/core";
import type { ErrorCode } from "@cev/core";

/**
 * What an errno means for whoever reads or writes. EIO is told apart by direction: what cannot be read is taken for a
 * bad spot (RAID reconstructs and rewrites it, which also finds out whether the device still lives); a write that
 * fails says nothing of the sort, since kernel and drive remap bad sectors on writes by themselves.
 */
const CODES: Readonly<Record<string, ErrorCode>> = {
  // Linux reports a medium error of a drive as ENODATA, a failed checksum as EILSEQ.
  ENODATA: "CEV_MEDIUM",
  EILSEQ: "CEV_MEDIUM",
  ENOSPC: "CEV_NO_SPACE",
  EDQUOT: "CEV_NO_SPACE",
  EFBIG: "CEV_NO_SPACE",
  ENODEV: "CEV_DEVICE_LOST",
  ENXIO: "CEV_DEVICE_LOST",
  ESTALE: "CEV_DEVICE_LOST",
  ENOTCONN: "CEV_DEVICE_LOST",
  EROFS: "CEV_READ_ONLY",
  EACCES: "CEV_ACCESS",
  EPERM: "CEV_ACCESS",
  ENOENT: "CEV_NOT_FOUND",
  ENOTDIR: "CEV_NOT_FOUND",
  EBUSY: "CEV_BUSY",
  ETXTBSY: "CEV_BUSY",
  EISDIR: "CEV_INVALID",
  EINVAL: "CEV_INVALID",
  ENAMETOOLONG: "CEV_INVALID",
  ELOOP: "CEV_INVALID",
  ETIMEDOUT: "CEV_TIMED_OUT",
  ENOMEM: "CEV_NO_MEMORY",
};

const HINTS: Partial<Record<ErrorCode, string>> = {
  CEV_ACCESS: "check its permissions",
  CEV_NOT_FOUND: "check the path",
  CEV_BUSY: "it may be mounted or in use",
  CEV_NO_SPACE: "there is no room for it, or the system lets no file become so large",
};

/** Where it was to be opened for writing. */
const WRITING_HINTS: Partial<Record<ErrorCode, string>> = {
  CEV_ACCESS: "check its permissions, or open it read-only",
  CEV_READ_ONLY: "open it read-only",
  CEV_BUSY: "it may be mounted or in use; open it read-only",
};

/** The code for an errno that a request ended with. */
export function codeOfErrno(errno: string | undefined, op: Op): ErrorCode {
  if (errno === "EIO" && op === Op.read) return "CEV_MEDIUM";
  return CODES[errno ?? ""] ?? "CEV_IO";
}

/** The error for a file that cannot be looked at or opened. */
export function openError(cause: unknown, path: string, isReadOnly: boolean): CevError {
  const errno = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown error";
  const code = codeOfErrno(errno, Op.write);
  const hint = (isReadOnly ? undefined : WRITING_HINTS[code]) ?? HINTS[code];
  const place = { layer: "file", source: path, cause };
  return new CevError(code, `cannot be opened (${errno})`, hint === undefined ? place : { ...place, hint });
}

/** An error of opening that is no errno. */
export function refusedFile(code: ErrorCode, path: string, message: string, hint?: string): CevError {
  const place = { layer: "file", source: path };
  return new CevError(code, message, hint === undefined ? place : { ...place, hint });
}

/** There is nothing to open, and nothing is made. */
export function missingFile(path: string, isReadOnly: boolean): CevError {
  // Whoever only looks makes nothing, whatever the options say.
  const hint = isReadOnly
    ? "check the path; what is opened for reading alone is never made: open it for writing once"
    : "check the path, or set create and size";
  return refusedFile("CEV_NOT_FOUND", path, "there is no such file", hint);
}

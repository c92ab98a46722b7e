import { ERROR_CODES } from "@cev/core";
import type { CevError, ErrorCode } from "@cev/core";
import { NbdErrno } from "./numbers.ts";

/**
 * What the client is told of an error. The protocol knows eight values only; the rest becomes the nearest of them. "Not
 * supported" is reserved for zeroes that were asked to be fast.
 */
export function nbdErrnoOf(code: ErrorCode, isFastZero = false): NbdErrno {
  switch (ERROR_CODES[code].errno) {
    case "ENOSPC":
      return NbdErrno.ENOSPC;
    case "EROFS":
    case "EACCES":
      return NbdErrno.EPERM;
    case "EINVAL":
      return NbdErrno.EINVAL;
    case "EOPNOTSUPP":
      return isFastZero ? NbdErrno.ENOTSUP : NbdErrno.EINVAL;
    case "ENOMEM":
      return NbdErrno.ENOMEM;
    case "ESHUTDOWN":
      return NbdErrno.ESHUTDOWN;
    default:
      return NbdErrno.EIO;
  }
}

/** The sentence that goes with an error to a client that takes one. */
export function errorMessage(error: CevError): string {
  return `${error.code}: ${error.message}`;
}

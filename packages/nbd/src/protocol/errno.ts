import { ERROR_CODES } from "@cev/core";
import type { CevError, ErrorCode } from "@cev/core";
import { NbdErrno } from "./numbers.ts";

/**
 * What the client is told of an error. The protocol knows eight values only; the rest becomes the nearest of them. "Not
 * supported" is reserved for zeroes that were asked to be fast.
 */
export function nbdErrnoOf(code: ErrorCode, isFastZero = false): NbdErrno {
  // Layers are anybody's: a code that nobody knows is one that says no more.
  switch ((ERROR_CODES as Partial<typeof ERROR_CODES>)[code]?.errno) {
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

const CODES: Readonly<Record<NbdErrno, ErrorCode>> = {
  [NbdErrno.EPERM]: "CEV_ACCESS",
  [NbdErrno.EIO]: "CEV_IO",
  [NbdErrno.ENOMEM]: "CEV_NO_MEMORY",
  [NbdErrno.EINVAL]: "CEV_INVALID",
  [NbdErrno.ENOSPC]: "CEV_NO_SPACE",
  [NbdErrno.EOVERFLOW]: "CEV_INVALID",
  [NbdErrno.ENOTSUP]: "CEV_NOT_SUPPORTED",
  [NbdErrno.ESHUTDOWN]: "CEV_CLOSED",
};

/**
 * What a server's error means here. Values that the document does not have count as EINVAL. `op` as core's `opName` says it.
 * A read that failed is an error of the medium: the server lives, and RAID reads elsewhere. `text`: what the server says of it.
 */
export function errorOfNbd(
  errno: number,
  op: string,
  text: string | null,
): { readonly code: ErrorCode; readonly message: string } {
  const known = isKnown(errno) ? errno : NbdErrno.EINVAL;
  let code = CODES[known];
  if (known === NbdErrno.EIO && op === "read") code = "CEV_MEDIUM";
  if (known === NbdErrno.EPERM && WRITING.has(op)) code = "CEV_READ_ONLY";
  const name = NAMES.get(errno) ?? `error ${errno}`;
  const said = text === null || text === "" ? "" : `: ${text}`;
  return { code, message: `the server answered ${name}${said}` };
}

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(NbdErrno).map(([name, value]) => [value, name]),
);
const WRITING: ReadonlySet<string> = new Set(["write", "discard", "writeZeroes"]);

function isKnown(errno: number): errno is NbdErrno {
  return NAMES.has(errno);
}

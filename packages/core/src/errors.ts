/** What one error code says: the errno a C program would see, what it means, and where it arises. */
export interface ErrorCodeEntry {
  readonly errno: string;
  readonly meaning: string;
  readonly arises: string;
}

/** One of the codes in `ERROR_CODES`. */
export type ErrorCode =
  | "CEV_IO"
  | "CEV_MEDIUM"
  | "CEV_DEVICE_LOST"
  | "CEV_NO_SPACE"
  | "CEV_READ_ONLY"
  | "CEV_NOT_SUPPORTED"
  | "CEV_INVALID"
  | "CEV_OUT_OF_RANGE"
  | "CEV_CANCELLED"
  | "CEV_CLOSED"
  | "CEV_BUSY"
  | "CEV_BAD_METADATA"
  | "CEV_UNKNOWN_FEATURE"
  | "CEV_DEGRADED"
  | "CEV_WRONG_KEY"
  | "CEV_KEY_REQUIRED"
  | "CEV_AMBIGUOUS"
  | "CEV_NOT_FOUND"
  | "CEV_ACCESS"
  | "CEV_TIMED_OUT"
  | "CEV_NO_MEMORY"
  | "CEV_PROTOCOL"
  | "CEV_PROGRAM";

/**
 * Every code an `Io` or an asynchronous function can fail with. Codes never change; messages may.
 * NBD, the command line and the documentation answer from this table.
 */
export const ERROR_CODES: Readonly<Record<ErrorCode, ErrorCodeEntry>> = {
  CEV_IO: { errno: "EIO", meaning: "the request failed, and nothing more is known", arises: "any device" },
  CEV_MEDIUM: {
    errno: "EIO",
    meaning: "these sectors cannot be read or written; the device lives",
    arises: "devices; RAID reconstructs such a range",
  },
  CEV_DEVICE_LOST: {
    errno: "ENODEV",
    meaning: "the device is gone, and so is every later request to it",
    arises: "devices; RAID fails such a member",
  },
  CEV_NO_SPACE: {
    errno: "ENOSPC",
    meaning: "no room is left to keep what was written",
    arises: "files, pools, sparse memory",
  },
  CEV_READ_ONLY: {
    errno: "EROFS",
    meaning: "the device may not be written",
    arises: "stacks opened read-only, degraded arrays, read-only files",
  },
  CEV_NOT_SUPPORTED: {
    errno: "EOPNOTSUPP",
    meaning: "the layer does not know this operation or flag",
    arises: "every layer, for what its `support` denies",
  },
  CEV_INVALID: {
    errno: "EINVAL",
    meaning: "the request or option makes no sense: alignment, length, value",
    arises: "the entry of a stack, option checks",
  },
  CEV_OUT_OF_RANGE: {
    errno: "EINVAL",
    meaning: "the request passes the end of the device",
    arises: "the entry of a stack",
  },
  CEV_CANCELLED: {
    errno: "ECANCELED",
    meaning: "the request was cancelled before it was done",
    arises: "devices that queue, split I/O, abort signals",
  },
  CEV_CLOSED: {
    errno: "ESHUTDOWN",
    meaning: "the device is closed or closing",
    arises: "the entry of a stack",
  },
  CEV_BUSY: { errno: "EBUSY", meaning: "another writer has the device", arises: "claims, file locks" },
  CEV_BAD_METADATA: {
    errno: "EUCLEAN",
    meaning: "what was read from a disk cannot be accepted",
    arises: "every on-disk format",
  },
  CEV_UNKNOWN_FEATURE: {
    errno: "EOPNOTSUPP",
    meaning: "the format uses a feature this version does not know, so nothing is touched",
    arises: "every on-disk format",
  },
  CEV_DEGRADED: {
    errno: "EIO",
    meaning: "redundancy is missing and the request needs it, or writing without it was not allowed",
    arises: "RAID, volume groups",
  },
  CEV_WRONG_KEY: { errno: "EKEYREJECTED", meaning: "no passphrase or key given opens this", arises: "crypt" },
  CEV_KEY_REQUIRED: {
    errno: "ENOKEY",
    meaning: "a passphrase or key is needed and none was given",
    arises: "crypt",
  },
  CEV_AMBIGUOUS: {
    errno: "EEXIST",
    meaning: "several things answer to the same name or identity",
    arises: "assembling and naming",
  },
  CEV_NOT_FOUND: {
    errno: "ENOENT",
    meaning: "there is nothing of that name",
    arises: "files, names in a stack",
  },
  CEV_ACCESS: {
    errno: "EACCES",
    meaning: "the system does not let this user open it",
    arises: "files and block devices",
  },
  CEV_TIMED_OUT: {
    errno: "ETIMEDOUT",
    meaning: "the device did not answer in time",
    arises: "network devices, test layers",
  },
  CEV_NO_MEMORY: {
    errno: "ENOMEM",
    meaning: "the bounded memory of the stack is used up",
    arises: "the buffer pool",
  },
  CEV_PROTOCOL: {
    errno: "EPROTO",
    meaning: "the other side broke the protocol",
    arises: "network devices and servers",
  },
  CEV_PROGRAM: {
    errno: "EFAULT",
    meaning: "a layer broke the contract: an action threw, or an Io was completed twice",
    arises: "a bug in a layer",
  },
};

/** Where an error happened and what to do next. All optional; offsets and lengths are bytes. */
export interface ErrorPlace {
  /** Name of the layer that saw it. */
  readonly layer?: string;
  /** Name of the operation, as in `opName`. */
  readonly op?: string;
  readonly offset?: number;
  readonly length?: number;
  /** The image, device or socket: whatever the user called it. */
  readonly source?: string;
  /** The on-disk structure, such as "md superblock". */
  readonly structure?: string;
  readonly field?: string;
  /** Byte offset of the field (or structure) in the source. */
  readonly byteOffset?: number;
  /** The next step for whoever reads this. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** An error of the world: it has a code, a place, and often a next step. */
export class CevError extends Error {
  override readonly name: string = "CevError";
  readonly code: ErrorCode;
  readonly place: ErrorPlace;

  constructor(code: ErrorCode, message: string, place: ErrorPlace = {}) {
    super(message, place.cause === undefined ? undefined : { cause: place.cause });
    this.code = code;
    this.place = place;
  }

  /** The errno a C program would see, such as "EIO". */
  get errno(): string {
    return ERROR_CODES[this.code].errno;
  }
}

/** The error an `Io` completes with. */
export class IoError extends CevError {
  override readonly name = "IoError";
}

/** `CEV_BAD_METADATA` or `CEV_UNKNOWN_FEATURE`: names source, structure, field and byte offset. */
export class MetadataError extends CevError {
  override readonly name = "MetadataError";

  constructor(
    message: string,
    place: ErrorPlace & { readonly structure: string },
    code: "CEV_BAD_METADATA" | "CEV_UNKNOWN_FEATURE" = "CEV_BAD_METADATA",
  ) {
    super(code, message, place);
  }
}

/** A bug in the program (not in the world): a broken contract. Thrown, never an outcome by itself. */
export class ProgramError extends Error {
  override readonly name = "ProgramError";
  readonly code = "CEV_PROGRAM";
}

/** True for errors that carry a code of ours, also those of another installed copy of core. */
export function isCevError(value: unknown): value is CevError {
  return (
    value instanceof Error &&
    "code" in value &&
    typeof value.code === "string" &&
    value.code in ERROR_CODES &&
    "place" in value
  );
}

/** One line for people: what, where, and what to do next. */
export function formatError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const message = error.message.replaceAll(/\s*\n\s*/g, " ");
  if (!isCevError(error)) return message;
  const { source, structure, field, byteOffset, offset, length, op, layer, hint } = error.place;
  const where = [source, structure, field === undefined ? undefined : `field ${field}`].filter(
    (part) => part !== undefined,
  );
  if (byteOffset !== undefined) where.push(`at byte ${byteOffset}`);
  const head = where.length === 0 ? (layer ?? "") : where.join(", ");
  const range = op === undefined ? "" : ` (${op} of ${length ?? 0} bytes at ${offset ?? 0})`;
  return `${head === "" ? "" : `${head}: `}${message}${range}${hint === undefined ? "" : `; ${hint}`}`;
}

/** Throws a `ProgramError` unless the condition holds. */
export function assert(condition: boolean, claim: string): asserts condition {
  if (!condition) throw new ProgramError(`broken assertion: ${claim}`);
}

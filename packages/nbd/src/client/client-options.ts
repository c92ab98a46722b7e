import { CevError } from "@cev/core";
import type { Details, StandardSchema } from "@cev/core";
import { BUSY_POLL_MAX_US, BUSY_POLL_US } from "../transport/busy-poll.ts";
import { parseNbdUri } from "../protocol/uri.ts";

/** Which server's export, and how it is used. */
export interface NbdOptions {
  /** nbd://HOST:PORT/EXPORT, nbd+unix:///EXPORT?socket=PATH, or nbds in place of nbd for TLS. */
  readonly uri: string;
  /** Write nothing. Default false. */
  readonly readOnly?: boolean;
  /** At a time, where the server says that they see one another's writes; else one. Default 1. */
  readonly connections?: number;
  /** Requests under way on each connection. Default 64. */
  readonly requestsMax?: number;
  /** A folder with ca-cert.pem and, for servers that want them, client-cert.pem and client-key.pem. The URI's own goes first. */
  readonly tlsCertificates?: string;
  /** A file with lines of "name:key". The URI's own goes first. */
  readonly tlsPskFile?: string;
  /** The name that goes with the key. By default the URI's, or the login name. */
  readonly tlsUsername?: string;
  /** How long connecting may take, to the end of the handshake. Default 10 seconds. */
  readonly connectTimeoutMs?: number;
  /** How long a server that is away is waited for; 0: not at all. Default 60 seconds. */
  readonly reconnectTimeoutMs?: number;
  /** How long nothing may be answered before the connection counts as lost; 0 (default): for ever. */
  readonly requestTimeoutMs?: number;
  /**
   * How long the process looks for the next answer before it sleeps, as long as answers do come so fast, in microseconds; 0:
   * never. Default 50.
   */
  readonly busyPollUs?: number;
  /** What is sent again to a server that comes back: also what was answered and not flushed (default), or only what was under way. */
  readonly resume?: "unflushed" | "underWay";
  /** Memory for copies of what was answered and not flushed, in bytes. Default 32 MiB. */
  readonly unflushedMax?: number;
}

/** The options with their defaults. */
export type ResolvedNbdOptions = Required<
  Omit<NbdOptions, "tlsCertificates" | "tlsPskFile" | "tlsUsername">
> &
  Pick<NbdOptions, "tlsCertificates" | "tlsPskFile" | "tlsUsername">;

const UNFLUSHED_MIN = 1_048_576;

const NUMBERS = {
  connections: {
    initial: 1,
    min: 1,
    max: 16,
    description:
      "Connections at a time, where the server says that all of them see what one has written (CAN_MULTI_CONN); else 1",
  },
  requestsMax: { initial: 64, min: 1, max: 1024, description: "Requests under way on each connection" },
  connectTimeoutMs: {
    initial: 10_000,
    min: 1,
    max: 2 ** 31 - 1,
    description: "For connecting, to the end of the handshake, in milliseconds",
  },
  reconnectTimeoutMs: {
    initial: 60_000,
    min: 0,
    max: 2 ** 31 - 1,
    description: "How long a server that is away is waited for, in milliseconds; 0: not at all",
  },
  requestTimeoutMs: {
    initial: 0,
    min: 0,
    max: 2 ** 31 - 1,
    description:
      "How long nothing may be answered before the connection counts as lost, in milliseconds; 0: for ever",
  },
  busyPollUs: {
    initial: BUSY_POLL_US,
    min: 0,
    max: BUSY_POLL_MAX_US,
    description:
      "While answers come that fast, how long to look for the next one before sleeping, in microseconds; 0: sleep at once. A server on the same machine answers a device with one request under way sooner so",
  },
  unflushedMax: {
    initial: 33_554_432,
    min: UNFLUSHED_MIN,
    max: 2 ** 31,
    description: "Bytes of copies of what was answered and not flushed",
  },
} as const;
const TEXTS = {
  tlsCertificates:
    "A folder, as tls-certificates of the URI, which goes first: ca-cert.pem and, for servers that want them, client-cert.pem and client-key.pem",
  tlsPskFile: "A file with lines of name:key, as tls-psk-file of the URI, which goes first",
  tlsUsername: "The name that goes with the key; the URI's goes first. By default the login name",
} as const;
const RESUMES: readonly unknown[] = ["unflushed", "underWay"];

/** Completes options that were checked. Throws `CEV_INVALID` for those that make no sense. */
export function resolveNbdOptions(options: NbdOptions): ResolvedNbdOptions {
  const [issue] = issuesOf(options);
  if (issue !== undefined)
    throw new CevError("CEV_INVALID", `${issue.path[0] ?? "options"}: ${issue.message}`);
  return {
    readOnly: false,
    connections: NUMBERS.connections.initial,
    requestsMax: NUMBERS.requestsMax.initial,
    connectTimeoutMs: NUMBERS.connectTimeoutMs.initial,
    reconnectTimeoutMs: NUMBERS.reconnectTimeoutMs.initial,
    requestTimeoutMs: NUMBERS.requestTimeoutMs.initial,
    busyPollUs: NUMBERS.busyPollUs.initial,
    resume: "unflushed",
    unflushedMax: NUMBERS.unflushedMax.initial,
    ...options,
  };
}

/** The options as a Standard Schema. */
export const nbdOptions: StandardSchema<NbdOptions> = {
  "~standard": {
    version: 1,
    vendor: "cev",
    validate(value) {
      const issues = issuesOf(value);
      return issues.length > 0 ? { issues } : { value: value as NbdOptions };
    },
  },
};

/** The same as a JSON Schema. */
export const nbdOptionsSchema: Details = {
  type: "object",
  properties: {
    uri: {
      type: "string",
      minLength: 1,
      description:
        "Which export of which server: nbd://HOST:PORT/EXPORT or nbd+unix:///EXPORT?socket=PATH; nbds in place of nbd for TLS",
    },
    readOnly: { type: "boolean", default: false, description: "Write nothing" },
    resume: {
      enum: ["unflushed", "underWay"],
      default: "unflushed",
      description:
        "What is sent again to a server that comes back: also what was answered and not flushed, or only what was under way",
    },
    ...Object.fromEntries(
      Object.entries(NUMBERS).map(([name, { initial, min, max, description }]) => [
        name,
        { type: "integer", minimum: min, maximum: max, default: initial, description },
      ]),
    ),
    ...Object.fromEntries(
      Object.entries(TEXTS).map(([name, description]) => [
        name,
        { type: "string", minLength: 1, description },
      ]),
    ),
  },
  required: ["uri"],
  additionalProperties: false,
};

interface Issue {
  readonly message: string;
  readonly path: readonly string[];
}

function issuesOf(value: unknown): Issue[] {
  if (typeof value !== "object" || value === null) return [{ message: "expected an object", path: [] }];
  const issues: Issue[] = [];
  const check = (isFine: boolean, name: string, message: string): void => {
    if (!isFine) issues.push({ message, path: [name] });
  };
  const { uri, readOnly = false, resume = "unflushed", ...others } = value as Record<string, unknown>;
  check(typeof readOnly === "boolean", "readOnly", "expected true or false");
  check(RESUMES.includes(resume), "resume", 'expected "unflushed" or "underWay"');
  for (const [name, given] of Object.entries(others)) {
    if (given === undefined) continue;
    if (name in NUMBERS) {
      const { min, max } = NUMBERS[name as keyof typeof NUMBERS];
      const isFine = typeof given === "number" && Number.isSafeInteger(given) && given >= min && given <= max;
      check(isFine, name, `expected a whole number from ${min} to ${max}`);
    } else if (name in TEXTS) {
      check(typeof given === "string" && given !== "" && !given.includes("\0"), name, "expected a text");
    } else {
      check(false, name, "unknown option");
    }
  }
  const problem = typeof uri === "string" ? problemOfUri(uri) : "expected a URI";
  if (problem !== null) issues.push({ message: problem, path: ["uri"] });
  return issues;
}

function problemOfUri(uri: string): string | null {
  try {
    parseNbdUri(uri);
    return null;
  } catch (error) {
    if (!(error instanceof CevError)) throw error;
    const { hint } = error.place;
    return hint === undefined ? error.message : `${error.message}; ${hint}`;
  }
}

import type { Contestant } from "./contestants.ts";

/** What a server of others is known to do otherwise than the document says. */
export interface KnownFinding {
  readonly kind: Contestant["kind"];
  /** The check; `*` is anything. */
  readonly check: string;
  /** What it does, for people who read the table. */
  readonly what: string;
  /** True where it depends on chance, or on the version. */
  readonly isAtTimes?: boolean;
  /** True where it does not outlive the check, which is then left out. */
  readonly isFatal?: boolean;
}

/** nbdkit 1.32.5, qemu-nbd 7.2.22 and 10.0.2, nbd-server 3.24 and 3.26.1. */
export const KNOWN_FINDINGS: readonly KnownFinding[] = [
  { kind: "nbdkit", check: "list/twice-the-same", what: "refuses a second LIST" },
  {
    kind: "nbdkit",
    check: "meta/same-query-twice-selects-once",
    what: "tells a context twice, with one id, when it is asked for twice",
  },
  { kind: "nbdkit", check: "meta/trailing-data-invalid", what: "overlooks data behind the queries" },
  {
    kind: "nbdkit",
    check: "disconnect/answers-what-is-under-way",
    what: "answers requests before DISC with ESHUTDOWN when they have not begun",
    isAtTimes: true,
  },
  {
    kind: "nbdkit",
    check: "disconnect/writes-under-way-are-done",
    what: "does not do a write before DISC that has not begun",
    isAtTimes: true,
  },
  {
    kind: "nbdkit",
    check: "disconnect/half-closed-client-gets-answers",
    what: "answers what it has read with ESHUTDOWN when the client ends its side",
    isAtTimes: true,
  },
  {
    kind: "nbdkit",
    check: "tls/1.1-refused",
    what: "speaks TLS 1.1 by default, as the system's GnuTLS does",
    isAtTimes: true,
  },
  ...[
    "structured/df-on-write-refused",
    "write/past-the-end-*",
    "write/offset-that-wraps-fails",
    "write/unknown-flags-*",
  ].map((check): KnownFinding => ({
    kind: "nbdkit",
    check,
    what: "in TLS: waits for ever after a write that it refuses; its payload is looked for outside of TLS",
    isAtTimes: true,
  })),
  {
    kind: "nbdkit",
    check: "disconnect/dropped-connections-harm-nobody",
    what: "may end at a failed assertion when clients go away with requests under way",
    isAtTimes: true,
  },
  {
    kind: "qemu-nbd",
    check: "disconnect/half-closed-client-gets-answers",
    what: "closes without the answers when the client ends its side",
    isAtTimes: true,
  },
  { kind: "qemu-nbd", check: "*/read-only-eperm", what: "answers EINVAL" },
  { kind: "qemu-nbd", check: "meta/trailing-data-invalid", what: "overlooks data behind the queries" },
  { kind: "qemu-nbd", check: "write/past-the-end-enospc", what: "answers EINVAL" },
  { kind: "qemu-nbd", check: "zeroes/past-the-end-enospc", what: "answers EINVAL" },
  {
    kind: "qemu-nbd",
    check: "disconnect/answers-what-is-under-way",
    what: "closes at DISC without the answers to requests before it",
    isAtTimes: true,
  },
  {
    kind: "qemu-nbd",
    check: "extended/status-payload-not-offered-einval",
    what: "10.0.2: ends at a failed assertion",
    isFatal: true,
  },
  {
    kind: "nbd-server",
    check: "greeting/*-client-flag-closes",
    what: "overlooks client flags that it does not know",
  },
  {
    kind: "nbd-server",
    check: "options/abort-*acked",
    what: "closes the connection without an answer to ABORT",
  },
  {
    kind: "nbd-server",
    check: "options/error-text-is-a-string",
    what: "takes the data of LIST for the next option, and answers it in its place",
  },
  { kind: "nbd-server", check: "list/with-data-invalid", what: "answers LIST twice, once with an error" },
  { kind: "nbd-server", check: "info/go-same-as-info", what: "INFO says that the export has 0 bytes" },
  {
    kind: "nbd-server",
    check: "info/go-same-as-info-structured",
    what: "3.26.1: INFO says that the export has 0 bytes",
    isAtTimes: true,
  },
  {
    kind: "nbd-server",
    check: "structured/df-*",
    what: "3.26.1: offers DF, and refuses every read with it, by a simple reply",
    isAtTimes: true,
  },
  ...["failed-read-*", "*error*", "none-chunk-empty-and-last"].map((check): KnownFinding => ({
    kind: "nbd-server",
    check: `structured/${check}`,
    what: "3.26.1: refuses a read by a simple reply, though structured ones were agreed upon",
    isAtTimes: true,
  })),
  {
    kind: "nbd-server",
    check: "info/*-invalid",
    what: "reads lengths within INFO and GO without comparing them with the option's: waits for data that never comes, or is out of step",
  },
  { kind: "nbd-server", check: "read/flags-of-other-commands-einval", what: "overlooks flags" },
  { kind: "nbd-server", check: "write/unknown-flags-einval-in-step", what: "overlooks flags" },
  { kind: "nbd-server", check: "trim/no-hole-flag-einval", what: "overlooks flags" },
  {
    kind: "nbd-server",
    check: "robustness/unread-answers-are-bounded",
    what: "takes requests without end from a client that reads no answers",
    isAtTimes: true,
  },
];

/** Whether a check is meant: `*` is anything. */
export function isMeant({ check }: KnownFinding, name: string): boolean {
  const parts = check.split("*").map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`));
  return new RegExp(`^${parts.join(".*")}$`).test(name);
}

/** What is known of a server, and what of it is about one check. */
export function findingFor(kind: Contestant["kind"], name: string): KnownFinding | null {
  return KNOWN_FINDINGS.find((finding) => finding.kind === kind && isMeant(finding, name)) ?? null;
}

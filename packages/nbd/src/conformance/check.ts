import type { Bench } from "./bench.ts";

/** What a server has to offer, or whoever runs the suite to allow, for a check to say anything. */
export type Need =
  | "export"
  | "write"
  | "flush"
  | "fua"
  | "trim"
  | "zeroes"
  | "fastZero"
  | "cache"
  | "structured"
  | "df"
  | "extended"
  | "meta"
  | "statusPayload"
  | "list"
  | "tls"
  | "plain"
  | "twoConnections"
  | "multiConn"
  | "readOnly";

/** For people: what is missing where a need is not met. */
export const NEED_TEXT: Readonly<Record<Need, string>> = {
  export: "an export that can be looked at",
  write: "an export that can be written, and --write",
  flush: "flush",
  fua: "FUA",
  trim: "trim",
  zeroes: "write zeroes",
  fastZero: "fast zeroes",
  cache: "cache",
  structured: "structured replies",
  df: "unfragmented reads (DF)",
  extended: "extended headers",
  meta: "base:allocation",
  statusPayload: "block status with a payload",
  list: "a list of exports",
  tls: "TLS, and the keys for it",
  plain: "a connection without TLS",
  twoConnections: "two connections at a time",
  multiConn: "CAN_MULTI_CONN",
  readOnly: "a read-only export",
};

/** "must": what the document demands. "should": what it recommends, and what no server should do to another client. */
export type Level = "must" | "should";

/** One rule of the document, and how it is looked at. */
export interface Check {
  /** Group and name: "info/go-same-as-info". Names are kept. */
  readonly name: string;
  readonly level: Level;
  /** Where in the document the sentence stands. */
  readonly section: string;
  /** From the document; "…" where something is left out. Empty for what is demanded of any server. */
  readonly sentence: string;
  readonly needs: readonly Need[];
  /** Bytes at the end of the export that it works on, and a dozen blocks at least; by default none. */
  readonly room?: number;
  /** Throws a `Violation`, or `NotApplicable`. */
  readonly run: (bench: Bench) => Promise<void>;
}

/** Whether a check belongs to what is done for `pattern`: a part of its name, `*` being anything. */
export function isWanted(name: string, pattern: string | null): boolean {
  if (pattern === null) return true;
  const parts = pattern.split("*").map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`));
  return new RegExp(pattern.includes("*") ? `^${parts.join(".*")}$` : parts.join("")).test(name);
}

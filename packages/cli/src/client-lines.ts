import { formatError } from "@cev/core";
import type { NbdEvent, RequestTrace, Security } from "@cev/nbd";
import { sizeText } from "./sizes.ts";

/** How a line is told. */
export interface ClientTeller {
  readonly say: (line: string) => void;
  readonly complain: (line: string) => void;
}

/** Tells of clients: of all that they do to whoever wants to know, else of what went wrong. */
export function tellOfClient(event: NbdEvent, isVerbose: boolean, { say, complain }: ClientTeller): void {
  switch (event.kind) {
    case "error":
      return complain(`warning: listening failed: ${formatError(event.error)}`);
    case "turnedAway":
      return complain(`warning: ${event.peer}: turned away, too many connections`);
    case "opened":
      return;
    case "chosen":
      if (isVerbose) say(`client ${event.connection} (${event.peer}): ${event.export}${securityText(event)}`);
      return;
    default:
      return tellOfClosed(event, isVerbose, { say, complain });
  }
}

/** One request, as `--trace` shows it. */
export function traceLine(trace: RequestTrace): string {
  const { connection, command, offset, length, flags, errno, microseconds } = trace;
  const range = command === "flush" ? "" : ` ${offset}+${length}`;
  const flagText = flags === 0 ? "" : ` flags=${flags}`;
  const outcome = errno === 0 ? "done" : `error ${errno}`;
  return `client ${connection}: ${command}${range}${flagText}: ${outcome} after ${Math.round(microseconds)} us`;
}

function tellOfClosed(
  event: Extract<NbdEvent, { kind: "closed" }>,
  isVerbose: boolean,
  { say, complain }: ClientTeller,
): void {
  const { connection, peer, error, figures } = event;
  const who = `client ${connection} (${peer})`;
  // Whoever looks for open ports never chooses an export.
  if (error !== null && (event.export !== null || isVerbose)) {
    const why = isLost(error) ? "the connection was lost" : plain(formatError(error));
    complain(`warning: ${who}: ${why}`);
  }
  if (!isVerbose || event.export === null) return;
  const { requestCount, bytesRead, bytesWritten, durationMs } = figures;
  const seconds = (durationMs / 1000).toFixed(1);
  say(
    `${who}: left after ${seconds} s and ${requestCount} requests; read ${sizeText(bytesRead)}, wrote ${sizeText(bytesWritten)}`,
  );
}

function securityText({ security }: { readonly security: Security }): string {
  if (security.kind === "plain") return "";
  const { protocol, username, subject } = security;
  const name = username ?? subject;
  return `, ${protocol}${name === null ? "" : `, ${plain(name)}`}`;
}

/** What a client has said of itself may not end the line, nor move the cursor. */
const plain = (text: string): string => text.replaceAll(/\p{Cc}/gu, "?");

function isLost(error: Error): boolean {
  return "code" in error && (error.code === "ECONNRESET" || error.code === "EPIPE");
}

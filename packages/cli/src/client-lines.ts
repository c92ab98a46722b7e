import { formatError } from "@cev/core";
import type { NbdEvent, RequestTrace, Security } from "@cev/nbd";
import { plain } from "./plain-text.ts";
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
    case "warning":
      return complain(`warning: ${plain(event.message)}`);
    case "turnedAway":
      return complain(`warning: ${event.peer}: turned away, too many connections`);
    case "opened":
      return;
    case "chosen":
      if (isVerbose)
        say(`client ${event.connection} (${event.peer}): ${plain(event.export)}${securityText(event)}`);
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
  const { requestCount, bytesRead, bytesWritten, durationMs } = figures;
  const seconds = (durationMs / 1000).toFixed(1);
  const isLost = error?.code === "CEV_DEVICE_LOST";
  if (event.export === null) {
    // Who looks for open ports or lists exports never chooses one, and need not wait for answers.
    if (!isVerbose) return;
    if (error !== null && !isLost) return complain(`warning: ${who}: ${plain(formatError(error))}`);
    return say(`${who}: left after ${seconds} s without an export`);
  }
  if (error !== null)
    complain(`warning: ${who}: ${isLost ? "the connection was lost" : plain(formatError(error))}`);
  if (!isVerbose) return;
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

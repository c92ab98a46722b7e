import { connect } from "node:net";
import { CevError, isCevError } from "@cev/core";
import { hostError } from "../host-error.ts";
import { LineReader } from "./wire.ts";

// A server of ours greets as soon as it is connected to.
const GREETING_MS = 20_000;

/** What is asked, in lines, and what becomes of the lines that come. */
interface Conversation<Answer> {
  /** Checks the server's first line. Throws where that is not the protocol. */
  readonly greet: (line: string) => void;
  /** The line that is sent then. */
  readonly request: string;
  /** Takes a later line. `end` settles the whole: with the answer, or a failure. */
  readonly take: (line: string, end: PromiseWithResolvers<Answer>) => void;
  /** What is said where nobody listens. */
  readonly absent: Absence;
}

interface Absence {
  readonly message: string;
  readonly hint: string;
}

/** Has one request done by the server at this Unix socket. When the signal aborts, nobody waits any more. Fails with its reason, or a `CevError`. */
export async function askOver<Answer>(
  path: string,
  { greet, request, take, absent }: Conversation<Answer>,
  signal: AbortSignal,
): Promise<Answer> {
  const socket = connect(path);
  const reader = new LineReader();
  const outcome = Promise.withResolvers<Answer>();
  let hasHeard = false;
  let isGreeted = false;
  const silence = setTimeout(() => outcome.reject(silent(path)), GREETING_MS);
  const takeLine = (line: string): void => {
    if (isGreeted) return take(line, outcome);
    greet(line);
    isGreeted = true;
    clearTimeout(silence);
    socket.write(`${request}\n`);
  };
  socket.setEncoding("utf8").on("data", (text: string) => {
    try {
      // Other servers greet without a line's end: whoever waits for that waits for ever.
      if (!hasHeard && !text.startsWith("{")) greet(text);
      hasHeard = true;
      reader.take(text).forEach(takeLine);
    } catch (error) {
      outcome.reject(isGreeted ? placed(error, path) : strange(path, error, absent));
    }
  });
  socket.on("error", (error) => outcome.reject(connectError(path, error, absent)));
  socket.on("close", () =>
    outcome.reject(new CevError("CEV_CLOSED", "the server has ended", { source: path })),
  );
  const onAbort = (): void => outcome.reject(signal.reason as Error);
  signal.addEventListener("abort", onAbort);
  try {
    signal.throwIfAborted();
    return await outcome.promise;
  } finally {
    clearTimeout(silence);
    signal.removeEventListener("abort", onAbort);
    socket.destroy();
  }
}

function silent(source: string): CevError {
  return new CevError("CEV_TIMED_OUT", `nothing has come for ${GREETING_MS / 1000} s`, {
    source,
    hint: "look whether this is a control socket, and whether its server is stopped or busy",
  });
}

/** Of a server that greets in another way. */
function strange(source: string, error: unknown, { message, hint }: Absence): unknown {
  if (!isCevError(error) || error.code !== "CEV_PROTOCOL") return placed(error, source);
  return new CevError("CEV_PROTOCOL", `${message}, but something else is`, { source, hint, cause: error });
}

function placed(error: unknown, source: string): unknown {
  return error instanceof CevError
    ? new CevError(error.code, error.message, { ...error.place, source })
    : error;
}

function connectError(source: string, error: Error, { message, hint }: Absence): CevError {
  const code = "code" in error ? error.code : "";
  // What the system says of a path that is longer than a socket's may be: some 100 bytes.
  if (code === "EINVAL")
    return new CevError("CEV_INVALID", "no socket can have so long a path", { source, cause: error });
  if (code !== "ECONNREFUSED" && code !== "ENOENT") return hostError(source, error);
  return new CevError("CEV_NOT_FOUND", message, { source, hint, cause: error });
}

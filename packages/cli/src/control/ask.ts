import { connect } from "node:net";
import { CevError } from "@cev/core";
import { hostError } from "../host-error.ts";
import { LineReader } from "./wire.ts";

/** What is asked, in lines, and what becomes of the lines that come. */
interface Conversation<Answer> {
  /** Checks the server's first line. Throws where that is not the protocol. */
  readonly greet: (line: string) => void;
  /** The line that is sent then. */
  readonly request: string;
  /** Takes a later line. `end` settles the whole: with the answer, or a failure. */
  readonly take: (line: string, end: PromiseWithResolvers<Answer>) => void;
  /** What is said where nobody listens. */
  readonly absent: { readonly message: string; readonly hint: string };
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
  let isGreeted = false;
  const takeLine = (line: string): void => {
    if (isGreeted) return take(line, outcome);
    greet(line);
    isGreeted = true;
    socket.write(`${request}\n`);
  };
  socket.setEncoding("utf8").on("data", (text: string) => {
    try {
      reader.take(text).forEach(takeLine);
    } catch (error) {
      outcome.reject(placed(error, path));
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
    signal.removeEventListener("abort", onAbort);
    socket.destroy();
  }
}

function placed(error: unknown, source: string): unknown {
  return error instanceof CevError
    ? new CevError(error.code, error.message, { ...error.place, source })
    : error;
}

function connectError(
  source: string,
  error: Error,
  { message, hint }: { readonly message: string; readonly hint: string },
): CevError {
  const code = "code" in error ? error.code : "";
  if (code !== "ECONNREFUSED" && code !== "ENOENT") return hostError(source, error);
  return new CevError("CEV_NOT_FOUND", message, { source, hint, cause: error });
}

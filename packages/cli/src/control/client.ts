import { connect } from "node:net";
import { CevError } from "@cev/core";
import type { Json } from "@cev/core";
import { hostError } from "../host-error.ts";
import { parseHello, parseServerLine } from "./protocol.ts";
import type { ClientLine, ControlRequest } from "./protocol.ts";
import { LineReader, sentError } from "./wire.ts";

/** Has one request done by the server of a stack. What is under way there is called off when the signal aborts. */
export async function askStack(
  path: string,
  request: ControlRequest,
  onEvent: (event: Json) => void,
  signal: AbortSignal,
): Promise<Json> {
  const socket = connect(path);
  const reader = new LineReader();
  const outcome = Promise.withResolvers<Json>();
  let isGreeted = false;
  const take = (line: string): void => {
    if (!isGreeted) {
      parseHello(line);
      isGreeted = true;
      socket.write(`${JSON.stringify({ id: 1, ...request } satisfies ClientLine)}\n`);
      return;
    }
    const message = parseServerLine(line);
    if ("event" in message) onEvent(message.event);
    else if ("answer" in message) outcome.resolve(message.answer);
    else outcome.reject(sentError(message.error));
  };
  socket.setEncoding("utf8").on("data", (text: string) => {
    try {
      reader.take(text).forEach(take);
    } catch (error) {
      outcome.reject(error);
    }
  });
  socket.on("error", (error) => outcome.reject(connectError(path, error)));
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

function connectError(source: string, error: Error): CevError {
  const code = "code" in error ? error.code : "";
  if (code !== "ECONNREFUSED" && code !== "ENOENT") return hostError(source, error);
  return new CevError("CEV_NOT_FOUND", "no stack is served there", {
    source,
    hint: "start one with cev serve --control, and name its socket",
    cause: error,
  });
}

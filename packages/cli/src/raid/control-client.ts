import { existsSync } from "node:fs";
import { connect } from "node:net";
import { CevError } from "@cev/core";
import { hostError } from "../host-error.ts";
import type { ArrayAnswer, ArrayRequest, OnSync } from "./array-request.ts";
import { LineReader, sentError } from "../control/wire.ts";
import { parseHello, parseServerMessage } from "./control-protocol.ts";
import type { ClientMessage } from "./control-protocol.ts";

/** What stands behind the path of an array's NBD socket where its control socket was not given a place of its own. */
export const CONTROL_SUFFIX = ".control";

/**
 * Has a request done by the server of an array. `path`: its control socket, or the NBD socket that one stands beside.
 * When the signal aborts, nobody waits any more; what the server has begun goes on.
 */
export async function askServer(
  path: string,
  request: ArrayRequest,
  onSync: OnSync,
  signal: AbortSignal,
): Promise<ArrayAnswer> {
  const place = existsSync(path + CONTROL_SUFFIX) ? path + CONTROL_SUFFIX : path;
  const socket = connect(place);
  const reader = new LineReader();
  const outcome = Promise.withResolvers<ArrayAnswer>();
  let isGreeted = false;
  const take = (line: string): void => {
    if (!isGreeted) {
      parseHello(line);
      isGreeted = true;
      socket.write(`${JSON.stringify({ request } satisfies ClientMessage)}\n`);
      return;
    }
    const message = parseServerMessage(line);
    if ("sync" in message) onSync(message.sync);
    else if ("answer" in message) outcome.resolve(message.answer);
    else if ("error" in message) outcome.reject(sentError(message.error));
  };
  socket.setEncoding("utf8").on("data", (text: string) => {
    try {
      reader.take(text).forEach(take);
    } catch (error) {
      outcome.reject(placed(error, place));
    }
  });
  socket.on("error", (error) => outcome.reject(connectError(place, error)));
  socket.on("close", () =>
    outcome.reject(new CevError("CEV_CLOSED", "the server has ended", { source: place })),
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

function connectError(source: string, error: Error): CevError {
  const code = "code" in error ? error.code : "";
  if (code === "ECONNREFUSED" || code === "ENOENT") {
    return new CevError("CEV_NOT_FOUND", "no array is served there", {
      source,
      hint: "start one with cev raid assemble --socket, or name the members instead of --array",
      cause: error,
    });
  }
  return hostError(source, error);
}

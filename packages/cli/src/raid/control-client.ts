import { existsSync } from "node:fs";
import { askOver } from "../control/ask.ts";
import { sentError } from "../control/wire.ts";
import type { ArrayAnswer, ArrayRequest, OnSync } from "./array-request.ts";
import { parseHello, parseServerMessage } from "./control-protocol.ts";
import type { ClientMessage } from "./control-protocol.ts";

/** What stands behind the path of an array's NBD socket where its control socket was not given a place of its own. */
export const CONTROL_SUFFIX = ".control";

/**
 * Has a request done by the server of an array. `path`: its control socket, or the NBD socket that one stands beside.
 * When the signal aborts, nobody waits any more; what the server has begun goes on.
 */
export function askServer(
  path: string,
  request: ArrayRequest,
  onSync: OnSync,
  signal: AbortSignal,
): Promise<ArrayAnswer> {
  return askOver<ArrayAnswer>(
    existsSync(path + CONTROL_SUFFIX) ? path + CONTROL_SUFFIX : path,
    {
      greet: parseHello,
      request: JSON.stringify({ request } satisfies ClientMessage),
      take(line, end) {
        const message = parseServerMessage(line);
        if ("sync" in message) onSync(message.sync);
        else if ("answer" in message) end.resolve(message.answer);
        else if ("error" in message) end.reject(sentError(message.error));
      },
      absent: {
        message: "no array is served there",
        hint: "start one with cev raid assemble --socket, or name the members instead of --array",
      },
    },
    signal,
  );
}

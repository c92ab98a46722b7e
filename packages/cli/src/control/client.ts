import type { Json } from "@cev/core";
import { askOver } from "./ask.ts";
import { parseHello, parseServerLine } from "./protocol.ts";
import type { ClientLine, ControlRequest } from "./protocol.ts";
import { sentError } from "./wire.ts";

/** Has one request done by the server of a stack. What is under way there is called off when the signal aborts. */
export function askStack(
  path: string,
  request: ControlRequest,
  onEvent: (event: Json) => void,
  signal: AbortSignal,
): Promise<Json> {
  return askOver<Json>(
    path,
    {
      greet: parseHello,
      request: JSON.stringify({ id: 1, ...request } satisfies ClientLine),
      take(line, end) {
        const message = parseServerLine(line);
        if ("event" in message) onEvent(message.event);
        else if ("answer" in message) end.resolve(message.answer);
        else end.reject(sentError(message.error));
      },
      absent: {
        message: "no stack is served there",
        hint: "start one with cev serve --control, and name its socket",
      },
    },
    signal,
  );
}

import type { Json } from "@cev/core";
import type { ChangeOptions, LiveStack } from "@cev/stack";
import type { ControlRequest } from "./protocol.ts";

/** Sends an event; resolves when there is room for another one. */
export type Tell = (event: Json) => Promise<void> | void;

/** Does what a client asked for. */
export async function execute(
  live: LiveStack,
  request: Exclude<ControlRequest, { readonly command: "cancel" }>,
  tell: Tell,
  signal: AbortSignal,
): Promise<Json> {
  switch (request.command) {
    case "tree":
      return live.tree() as unknown as Json;
    case "describe":
      return live.describe() as unknown as Json;
    case "stats":
      return (await live.stats({ ...request, signal })) as unknown as Json;
    case "insert": {
      const { name } = await live.insert(request.above, request, changeOf(request, tell, signal));
      return { name };
    }
    case "replace": {
      const { name } = await live.replace(request.device, request, changeOf(request, tell, signal));
      return { name };
    }
    case "remove": {
      const { changesContent = false } = request;
      await live.remove(request.device, { ...changeOf(request, tell, signal), changesContent });
      return { name: request.device };
    }
    case "trace": {
      let counts = { seen: 0, dropped: 0 };
      const report = (seen: number, dropped: number): void => void (counts = { seen, dropped });
      // Whoever does not take what is sent loses what comes meanwhile: it is not kept without end.
      for await (const tree of live.trace({ ...request, signal }, report))
        await tell(tree as unknown as Json);
      return counts;
    }
  }
}

function changeOf(request: { readonly timeoutMs?: number }, tell: Tell, signal: AbortSignal): ChangeOptions {
  const { timeoutMs } = request;
  return {
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    signal,
    onStep: (state, inFlight) => void tell({ state, inFlight }),
  };
}

import { CevError } from "@cev/core";
import type { Stack } from "@cev/stack";
import { Ending } from "./ending.ts";
import { ExitStatus } from "./exit-status.ts";
import { NbdServing, addressOf } from "./nbd-serving.ts";
import type { Exported } from "./nbd-serving.ts";
import { openDevice } from "./open-device.ts";
import { say, warnOf } from "./output.ts";
import { openSources } from "./sources.ts";
import type { KeyOptions } from "./sources.ts";
import type { LockOptions } from "./open-options.ts";
import { showSyncs } from "./sync-display.ts";

export interface ServeOptions extends KeyOptions, LockOptions {
  readonly device?: readonly string[];
  readonly socket?: string;
  readonly listen?: string;
  readonly readOnly?: boolean;
  readonly degraded?: boolean;
  readonly verbose?: boolean;
}

/** `cev serve`: devices over NBD, until a signal ends it. */
export async function serve(sources: readonly string[], options: ServeOptions): Promise<ExitStatus> {
  const address = addressOf(options);
  const isReadOnly = options.readOnly === true;
  using ending = new Ending();
  const abort = new AbortController();
  void ending.first.then(() => abort.abort(new CevError("CEV_CANCELLED", "ended by a signal")));
  const stack = await openSources({
    ...options,
    sources,
    isReadOnly,
    canWriteDegraded: options.degraded === true,
    only: options.device ?? null,
    askFor: options.device ?? null,
    signal: abort.signal,
  });
  try {
    warnOf(stack, options.device ?? []);
    const exported = await openExports(stack, options.device ?? null, isReadOnly);
    const { environment } = stack;
    const serving = await NbdServing.start({
      environment,
      exported,
      address,
      isVerbose: options.verbose === true,
    });
    for (const line of serving.lines) say(line);
    say("ready; ends with Ctrl-C (SIGINT or SIGTERM)");
    await showSyncs(stack, ending.first);
    if (!(await serving.end(ending))) return ExitStatus.failed;
  } finally {
    await ending.outlast(stack.close());
  }
  return ExitStatus.done;
}

async function openExports(
  stack: Stack,
  asked: readonly string[] | null,
  isReadOnly: boolean,
): Promise<Exported[]> {
  const ownNames =
    stack.exports.size > 0 ? [...stack.exports.keys()] : stack.uppermost.map((one) => one.name);
  const names = [...new Set(asked ?? ownNames)];
  if (names.length === 0) throw nothingToServe(stack);
  const exported: Exported[] = [];
  for (const name of names) exported.push({ name, device: await openDevice(stack, name, { isReadOnly }) });
  return exported;
}

function nothingToServe({ devices }: Stack): CevError {
  const locked = devices.filter((one) => one.state === "locked").map((one) => one.name);
  if (locked.length === 0) return new CevError("CEV_NOT_FOUND", "nothing to serve: no device was found");
  const isOne = locked.length === 1;
  return new CevError(
    "CEV_KEY_REQUIRED",
    `nothing to serve: ${locked.join(", ")} ${isOne ? "is" : "are"} locked`,
    { hint: isOne ? "give a passphrase or a key file" : "give passphrases or key files" },
  );
}

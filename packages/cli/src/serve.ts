import { CevError } from "@cev/core";
import type { Stack } from "@cev/stack";
import { closing } from "./closing.ts";
import { StackControlServer } from "./control/server.ts";
import { Ending } from "./ending.ts";
import { ExitStatus } from "./exit-status.ts";
import { NbdServing } from "./nbd-serving.ts";
import type { Exported } from "./nbd-serving.ts";
import { openDevice } from "./open-device.ts";
import { note, say, warnOf } from "./output.ts";
import { placesOf, settingsOf } from "./serve-options.ts";
import type { ServerWords } from "./serve-options.ts";
import { parseSocketOwner } from "./socket-owner.ts";
import { openSources } from "./sources.ts";
import type { KeyOptions } from "./sources.ts";
import type { LockOptions } from "./open-options.ts";
import { showSyncs } from "./sync-display.ts";
import { UsageError } from "./usage-error.ts";

export interface ServeOptions extends KeyOptions, LockOptions, ServerWords {
  readonly device?: readonly string[];
  readonly defaultExport?: string;
  readonly description?: string;
  readonly readOnly?: boolean;
  readonly degraded?: boolean;
  readonly verbose?: boolean;
  readonly trace?: boolean;
  readonly control?: string;
}

/** `cev serve`: devices over NBD, until a signal ends it. */
export async function serve(sources: readonly string[], options: ServeOptions): Promise<ExitStatus> {
  const places = placesOf(options);
  const { passphraseFile = [], keyFile = [] } = options;
  if (places.includes("stdio") && [...passphraseFile, ...keyFile].includes("-"))
    throw new UsageError("with --stdio standard input belongs to the client: give the key as a file");
  if (options.control !== undefined && places.includes("stdio"))
    throw new UsageError("--control goes with --socket or --listen");
  const settings = await settingsOf(options);
  const isReadOnly = options.readOnly === true;
  using ending = new Ending();
  const abort = new AbortController();
  void ending.first.then(() => abort.abort(new CevError("CEV_CANCELLED", "ended by a signal")));
  const stack = await openSources({
    ...options,
    sources,
    isReadOnly,
    canWriteDegraded: options.degraded === true,
    awayHint: "add --degraded to go on without it",
    only: options.device ?? null,
    askFor: options.device ?? null,
    signal: abort.signal,
    isLive: options.control !== undefined,
  });
  let control: StackControlServer | null = null;
  const close = async (): Promise<void> => {
    try {
      await control?.close();
    } finally {
      await ending.outlast(stack.close());
    }
  };
  return await closing({ close }, async () => {
    warnOf(stack, exportNames(stack, options.device));
    const exported = await openExports(stack, options, isReadOnly);
    const { environment } = stack;
    // Before a client can come: what its path refuses ends all of it.
    control = await openControl(stack, sources, options, ending);
    await using serving = await NbdServing.start({
      environment,
      exported,
      places,
      isVerbose: options.verbose === true,
      isTraced: options.trace === true,
      ...(options.defaultExport === undefined ? {} : { defaultExport: options.defaultExport }),
      settings,
    });
    for (const line of serving.lines) say(line);
    if (control !== null) say(`control socket at ${options.control}`);
    // A client at standard output would take it for an answer.
    if (!places.includes("stdio")) say("ready; ends with Ctrl-C (SIGINT or SIGTERM)");
    else if (options.verbose === true) note("ready; ends when the client leaves");
    await showSyncs(stack, Promise.race([ending.first, serving.left]));
    return (await serving.end(ending)) ? ExitStatus.done : ExitStatus.failed;
  });
}

async function openControl(
  { live }: Stack,
  sources: readonly string[],
  { control, socketOwner }: ServeOptions,
  ending: Ending,
): Promise<StackControlServer | null> {
  if (live === null || control === undefined) return null;
  const server = new StackControlServer(live, sources.join(" "));
  await server.listen(control, socketOwner === undefined ? undefined : parseSocketOwner(socketOwner));
  // Requests that wait for a change that never comes would keep their clients from leaving.
  void ending.first.then(() => live.end());
  return server;
}

async function openExports(
  stack: Stack,
  { device: asked, description }: ServeOptions,
  isReadOnly: boolean,
): Promise<Exported[]> {
  const names = exportNames(stack, asked);
  if (names.length === 0) throw nothingToServe(stack);
  if (description !== undefined && names.length > 1)
    throw new UsageError("--description is for a single device: name it with --device");
  const exported: Exported[] = [];
  for (const name of names) {
    const device = await openDevice(stack, name, { isReadOnly });
    exported.push({ name, device, ...(description === undefined ? {} : { description }) });
  }
  return exported;
}

function exportNames(stack: Stack, asked: readonly string[] | undefined): readonly string[] {
  const ownNames =
    stack.exports.size > 0 ? [...stack.exports.keys()] : stack.uppermost.map((one) => one.name);
  return [...new Set(asked ?? ownNames)];
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

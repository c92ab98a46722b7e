import { NbdServer, nbdUri } from "@cev/nbd";
import type { BoundAddress, CloseReport, NbdEvent } from "@cev/nbd";
import { CevError, formatError } from "@cev/core";
import type { Device } from "@cev/core";
import type { Stack } from "@cev/stack";
import { ExitStatus } from "./exit-status.ts";
import { hostError } from "./host-error.ts";
import { parseListenAddress } from "./listen-address.ts";
import type { ListenAddress } from "./listen-address.ts";
import { openDevice } from "./open-device.ts";
import { complain, say, warnOf } from "./output.ts";
import { Signals } from "./signals.ts";
import { sizeText } from "./sizes.ts";
import { openSources } from "./sources.ts";
import type { KeyOptions } from "./sources.ts";
import { UsageError } from "./usage-error.ts";

export interface ServeOptions extends KeyOptions {
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
  const stack = await openSources({
    ...options,
    sources,
    isReadOnly,
    canWriteDegraded: options.degraded === true,
    only: options.device ?? null,
  });
  try {
    warnOf(stack.problems, options.device ?? []);
    const exported = await openExports(stack, options.device ?? null, isReadOnly);
    const server = new NbdServer({
      environment: stack.environment,
      exports: exported.map(({ name, device }) => ({ name, device })),
      // Who asks for no export in particular means the only one; of several none is meant.
      defaultExport: exported.length === 1 ? exported[0]!.name : null,
      onEvent: (event) => tell(event, options.verbose === true),
    });
    const bound = await server.listen(address).catch((error: unknown) => {
      throw hostError(options.socket ?? options.listen ?? "", error);
    });
    for (const one of exported) say(exportLine(one, bound, exported.length === 1));
    say("ready; ends with Ctrl-C (SIGINT or SIGTERM)");
    await ending.first;
    const closing = server.close();
    void ending.second.then(() => server.close({ isForced: true }));
    const report = await closing;
    tellUnflushed(report);
    // What is stuck below would keep the process alive, and there is nobody left who wants to wait for it.
    if (ending.isForced) ending.exit();
    if (isIncomplete(report)) return ExitStatus.failed;
  } finally {
    await Promise.race([stack.close(), ending.second.then(() => exitUnflushed(ending))]);
  }
  return ExitStatus.done;
}

/** Waits for the signals that end a server. */
class Ending implements Disposable {
  readonly first: Promise<void>;
  readonly second: Promise<void>;
  /** There was a second one. */
  isForced = false;
  readonly #signals: Signals;

  constructor() {
    const first = Promise.withResolvers<undefined>();
    const second = Promise.withResolvers<undefined>();
    this.first = first.promise;
    this.second = second.promise;
    this.#signals = new Signals((_signal, count) => {
      this.isForced = count > 1;
      (count === 1 ? first : second).resolve(undefined);
    });
  }

  /** Exits without waiting for anything but calls that are under way in the system: a third signal ends those, too. */
  exit(): never {
    this[Symbol.dispose]();
    process.exit(ExitStatus.failed);
  }

  [Symbol.dispose](): void {
    this.#signals[Symbol.dispose]();
  }
}

function addressOf({ socket, listen }: ServeOptions): { path: string } | ListenAddress {
  if ((socket === undefined) === (listen === undefined)) {
    throw new UsageError("give either --socket PATH or --listen HOST:PORT");
  }
  return socket === undefined ? parseListenAddress(listen!) : { path: socket };
}

interface Exported {
  readonly name: string;
  readonly device: Device;
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

function exportLine({ name, device }: Exported, bound: BoundAddress, isOnly: boolean): string {
  const mode = device.isReadOnly ? ", read-only" : "";
  return `serving ${name} (${sizeText(device.size)}${mode}) at ${nbdUri(bound, isOnly ? "" : name)}`;
}

function tell(event: NbdEvent, isVerbose: boolean): void {
  if (event.kind === "error") complain(`warning: listening failed: ${formatError(event.error)}`);
  else if (event.kind === "turnedAway") complain(`warning: ${event.peer}: turned away, too many connections`);
  else if (isVerbose && event.kind === "chosen")
    say(`client ${event.connection} (${event.peer}): ${event.export}`);
  else if (event.kind === "closed" && event.error !== null) {
    // Whoever looks for open ports never chooses an export.
    if (event.export === null && !isVerbose) return;
    const why = isLost(event.error) ? "the connection was lost" : formatError(event.error);
    complain(`warning: client ${event.connection} (${event.peer}): ${why}`);
  }
}

function isLost(error: Error): boolean {
  return "code" in error && (error.code === "ECONNRESET" || error.code === "EPIPE");
}

const isIncomplete = ({ unflushed, abandonedCount }: CloseReport): boolean =>
  unflushed.length > 0 || abandonedCount > 0;

function tellUnflushed({ unflushed, abandonedCount }: CloseReport): void {
  for (const { export: name, error } of unflushed) {
    const why = error === null ? "it was ended before that" : formatError(error);
    complain(`${name} was not flushed: ${why}; what was written last may be lost`);
  }
  if (abandonedCount > 0) complain(`${abandonedCount} requests were abandoned`);
}

function exitUnflushed(ending: Ending): never {
  complain("ended before everything was closed; what was written last may be lost");
  ending.exit();
}

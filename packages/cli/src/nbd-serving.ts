import { NbdServer, nbdUri } from "@cev/nbd";
import type { BoundAddress, CloseReport, NbdEvent } from "@cev/nbd";
import { formatError } from "@cev/core";
import type { Device, Environment } from "@cev/core";
import type { Ending } from "./ending.ts";
import { hostError } from "./host-error.ts";
import { parseListenAddress } from "./listen-address.ts";
import type { ListenAddress } from "./listen-address.ts";
import { complain, say } from "./output.ts";
import { sizeText } from "./sizes.ts";
import { UsageError } from "./usage-error.ts";

/** A device and the name it is exported by. */
export interface Exported {
  readonly name: string;
  readonly device: Device;
}

/** Where a server is to listen. */
export type ServeAddress = { readonly path: string } | ListenAddress;

/** What is served. */
export interface ServingOptions {
  readonly environment: Environment;
  readonly exported: readonly Exported[];
  readonly address: ServeAddress;
  /** Tell also of clients that choose an export. */
  readonly isVerbose: boolean;
}

/** Devices that are served over NBD, until somebody ends it. */
export class NbdServing {
  /** What is served, and where: a line for each export. */
  readonly lines: readonly string[];
  /** Of the default export, or of the server where none is. */
  readonly uri: string;
  readonly #server: NbdServer;

  private constructor(server: NbdServer, lines: readonly string[], uri: string) {
    this.#server = server;
    this.lines = lines;
    this.uri = uri;
  }

  static async start({ environment, exported, address, isVerbose }: ServingOptions): Promise<NbdServing> {
    const isOnly = exported.length === 1;
    const server = new NbdServer({
      environment,
      exports: exported.map(({ name, device }) => ({ name, device })),
      // Who asks for no export in particular means the only one; of several none is meant.
      defaultExport: isOnly ? exported[0]!.name : null,
      onEvent: (event) => tell(event, isVerbose),
    });
    const bound = await server.listen(address).catch((error: unknown) => {
      throw hostError("path" in address ? address.path : `${address.host}:${address.port}`, error);
    });
    return new NbdServing(
      server,
      exported.map((one) => exportLine(one, bound, isOnly)),
      nbdUri(bound, ""),
    );
  }

  /** Finishes what is under way and flushes. False where not all of that could be done; a second signal ends the process. */
  async end(ending: Ending): Promise<boolean> {
    const closing = this.#server.close();
    void ending.second.then(() => this.#server.close({ isForced: true }));
    const report = await closing;
    tellUnflushed(report);
    // What is stuck below would keep the process alive, and there is nobody left who wants to wait for it.
    if (ending.isForced) ending.exit();
    return !isIncomplete(report);
  }
}

/** The address that was asked for. Throws a `UsageError`. */
export function addressOf({
  socket,
  listen,
}: {
  readonly socket?: string;
  readonly listen?: string;
}): ServeAddress {
  if ((socket === undefined) === (listen === undefined)) {
    throw new UsageError("give either --socket PATH or --listen HOST:PORT");
  }
  return socket === undefined ? parseListenAddress(listen!) : { path: socket };
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

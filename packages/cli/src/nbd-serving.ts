import { NbdServer, nbdUri } from "@cev/nbd";
import type { BoundAddress, CloseReport, FileOwner } from "@cev/nbd";
import { formatError } from "@cev/core";
import type { Device, Environment } from "@cev/core";
import { tellOfClient, traceLine } from "./client-lines.ts";
import type { Ending } from "./ending.ts";
import { hostError } from "./host-error.ts";
import { parseListenAddress } from "./listen-address.ts";
import type { ListenAddress } from "./listen-address.ts";
import { complain, note, say } from "./output.ts";
import { plain } from "./plain-text.ts";
import type { ServerSettings } from "./serve-options.ts";
import { sizeText } from "./sizes.ts";
import { UsageError } from "./usage-error.ts";

/** A device and the name it is exported by. */
export interface Exported {
  readonly name: string;
  readonly device: Device;
  /** For lists. */
  readonly description?: string;
}

const NEVER = new Promise<void>(() => undefined);

/** Where a server is to listen. */
export type ServeAddress =
  | { readonly path: string; readonly mode?: number; readonly owner?: FileOwner }
  | ListenAddress
  /** A socket that the process was started with. */
  | { readonly fd: number };

/** Where clients come in: an address, or one client that is there already. */
export type ServePlace = ServeAddress | "stdio";

/** What is served. */
export interface ServingOptions {
  readonly environment: Environment;
  readonly exported: readonly Exported[];
  readonly places: readonly ServePlace[];
  /** Tell also of clients that choose an export, and of what they have done when they leave. */
  readonly isVerbose: boolean;
  /** Tell of each request. */
  readonly isTraced?: boolean;
  /** Which export is the default one; without, the only one. */
  readonly defaultExport?: string;
  readonly settings?: ServerSettings;
}

/** Devices that are served over NBD, until somebody ends it. */
export class NbdServing implements AsyncDisposable {
  /** What is served, and where: a line for each export. */
  readonly lines: readonly string[];
  /** Of the default export, or of the server where none is. */
  readonly uri: string;
  /** Resolves when the client has left that was there already; without one, never. */
  readonly left: Promise<void>;
  readonly #server: NbdServer;
  #isEnded = false;

  private constructor(server: NbdServer, lines: readonly string[], uri: string, left: Promise<void>) {
    this.#server = server;
    this.lines = lines;
    this.uri = uri;
    this.left = left;
  }

  static async start(options: ServingOptions): Promise<NbdServing> {
    const { environment, exported, places, isVerbose, isTraced = false, settings = {} } = options;
    const isOnly = exported.length === 1;
    // Standard output belongs to the client that is there.
    const teller = { say: places.includes("stdio") ? note : say, complain };
    // Who asks for no export in particular means the only one; of several none is meant.
    const defaultExport = options.defaultExport ?? (isOnly ? exported[0]!.name : null);
    const server = new NbdServer({
      environment,
      exports: exported,
      defaultExport,
      ...settings,
      onEvent: (event) => tellOfClient(event, isVerbose, teller),
      ...(isTraced ? { onRequest: (trace) => note(traceLine(trace)) } : {}),
    });
    const isSecure = settings.tls?.mode === "required";
    const bounds: BoundAddress[] = [];
    let left = NEVER;
    try {
      for (const place of places) {
        if (place === "stdio") left = server.serveStream();
        else bounds.push(await listen(server, place));
      }
    } catch (error) {
      await server.close({ isForced: true });
      throw error;
    }
    const lines = bounds.flatMap((bound) =>
      exported.map((one) => exportLine(one, bound, { isDefault: one.name === defaultExport, isSecure })),
    );
    const uri = bounds[0] === undefined ? "" : nbdUri(bounds[0], "", isSecure);
    return new NbdServing(server, lines, uri, left);
  }

  /** Finishes what is under way and flushes. False where not all of that could be done; a second signal ends the process. */
  async end(ending: Ending): Promise<boolean> {
    this.#isEnded = true;
    const closing = this.#server.close();
    void ending.second.then(() => this.#server.close({ isForced: true }));
    const report = await closing;
    tellUnflushed(report);
    // What is stuck below would keep the process alive, and there is nobody left who wants to wait for it.
    if (ending.isForced) ending.exit();
    return !isIncomplete(report);
  }

  /** For what goes wrong before anybody ends it: clients are turned away, and no socket is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isEnded) await this.#server.close({ isForced: true });
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

async function listen(server: NbdServer, address: ServeAddress): Promise<BoundAddress> {
  try {
    return await server.listen(address);
  } catch (error) {
    throw hostError(addressText(address), error);
  }
}

function addressText(address: ServeAddress): string {
  if ("fd" in address) return `file descriptor ${address.fd}`;
  return "path" in address ? address.path : `${address.host}:${address.port}`;
}

function exportLine(
  { name, device }: Exported,
  bound: BoundAddress,
  { isDefault, isSecure }: { readonly isDefault: boolean; readonly isSecure: boolean },
): string {
  const mode = device.isReadOnly ? ", read-only" : "";
  const where =
    "fd" in bound
      ? `the socket that was handed over (file descriptor ${bound.fd})`
      : nbdUri(bound, isDefault ? "" : name, isSecure);
  return `serving ${plain(name)} (${sizeText(device.size)}${mode}) at ${where}`;
}

const isIncomplete = ({ unflushed, abandonedCount }: CloseReport): boolean =>
  unflushed.length > 0 || abandonedCount > 0;

function tellUnflushed({ unflushed, abandonedCount }: CloseReport): void {
  for (const { export: name, error } of unflushed) {
    const why = error === null ? "it was ended before that" : formatError(error);
    complain(`${plain(name)} was not flushed: ${why}; what was written last may be lost`);
  }
  if (abandonedCount > 0) complain(`${abandonedCount} requests were abandoned`);
}

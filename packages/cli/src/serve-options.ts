import { activatedFds, readCertificateFolder, readPskFile } from "@cev/nbd";
import type { NbdServerOptions, TlsServerSettings } from "@cev/nbd";
import type { Command } from "commander";
import { collect } from "./collect.ts";
import { parseListenAddress } from "./listen-address.ts";
import type { ServePlace } from "./nbd-serving.ts";
import { parseSize } from "./raid/size-option.ts";
import { parseSocketMode, parseSocketOwner } from "./socket-owner.ts";
import { UsageError } from "./usage-error.ts";

/** Where clients come in, and what they may. */
export interface ServerWords {
  readonly socket?: string;
  readonly socketMode?: string;
  readonly socketOwner?: string;
  readonly listen?: readonly string[];
  readonly stdio?: boolean;
  readonly tls?: string;
  readonly tlsCertificates?: string;
  readonly tlsPsk?: string;
  readonly tlsVerifyPeer?: boolean;
  readonly maxConnections?: string;
  readonly maxRequests?: string;
  readonly maxMemory?: string;
  readonly handshakeTimeout?: string;
  readonly idleTimeout?: string;
  readonly busyPoll?: string;
}

/** The settings of a server that the command line has. */
export type ServerSettings = Partial<
  Pick<
    NbdServerOptions,
    | "tls"
    | "connectionsMax"
    | "requestsMax"
    | "memoryMax"
    | "handshakeTimeoutMs"
    | "idleTimeoutMs"
    | "busyPollUs"
  >
>;

/** Adds the options that say where clients come in, and what they may. */
export function withServer(command: Command): Command {
  return command
    .option("--socket <path>", "listen on this Unix socket")
    .option("--socket-mode <mode>", "permissions of the socket's file, such as 0660")
    .option("--socket-owner <user:group>", "whom the socket's file is given to")
    .option("--listen <host:port>", "listen on this address (repeatable)", collect)
    .option("--stdio", "serve the one client at standard input and output, as inetd starts servers")
    .option("--tls <mode>", "off, optional or required; required where there are certificates or keys")
    .option("--tls-certificates <folder>", "server-cert.pem, server-key.pem, ca-cert.pem")
    .option("--tls-psk <file>", "keys in place of certificates: lines of name:hexadecimal digits")
    .option("--tls-verify-peer", "clients need a certificate that ca-cert.pem has signed")
    .option("--max-connections <count>", "clients at a time (1024)")
    .option("--max-requests <count>", "requests of a client that are worked on at a time (256)")
    .option("--max-memory <size>", "memory of all clients' requests and buffers (512M; without a unit: KiB)")
    .option("--handshake-timeout <seconds>", "for a client to choose an export (30)")
    .option("--idle-timeout <seconds>", "let go of clients that do nothing for so long")
    .option("--busy-poll <microseconds>", "look so long for the next request of busy clients; 0: sleep (50)");
}

/** Where clients are to come in: what was asked for, and the sockets that the process was started with. Throws a `UsageError`. */
export function placesOf(words: ServerWords): readonly ServePlace[] {
  const { socket, socketMode, socketOwner, listen = [], stdio = false } = words;
  if (socket === undefined && (socketMode !== undefined || socketOwner !== undefined))
    throw new UsageError("--socket-mode and --socket-owner go with --socket");
  const places: ServePlace[] = [];
  if (socket !== undefined) {
    places.push({
      path: socket,
      ...(socketMode === undefined ? {} : { mode: parseSocketMode(socketMode) }),
      ...(socketOwner === undefined ? {} : { owner: parseSocketOwner(socketOwner) }),
    });
  }
  places.push(...listen.map(parseListenAddress));
  const fds = activatedFds({ pid: process.pid, variables: process.env });
  if (stdio) {
    if (fds.length > 0)
      throw new UsageError(
        "a socket was handed over to listen on (LISTEN_FDS), as systemd and nbdinfo -- [ … ] do: leave out --stdio",
      );
    if (places.length > 0) throw new UsageError("--stdio serves one client, and goes without an address");
    return ["stdio"];
  }
  for (const fd of fds) places.push({ fd });
  // They are for this process, not for those that it starts.
  delete process.env["LISTEN_PID"];
  delete process.env["LISTEN_FDS"];
  delete process.env["LISTEN_FDNAMES"];
  if (places.length === 0) throw new UsageError("give --socket PATH, --listen HOST:PORT or --stdio");
  return places;
}

/** What the other options mean. Throws a `UsageError`; fails where files of certificates or keys cannot be used. */
export async function settingsOf(words: ServerWords): Promise<ServerSettings> {
  const { maxConnections, maxRequests, maxMemory, handshakeTimeout, idleTimeout, busyPoll } = words;
  const counts = {
    ...(maxConnections === undefined
      ? {}
      : { connectionsMax: parseWhole(maxConnections, "--max-connections") }),
    ...(maxRequests === undefined ? {} : { requestsMax: parseWhole(maxRequests, "--max-requests") }),
    ...(maxMemory === undefined ? {} : { memoryMax: parseSize(maxMemory, "--max-memory") }),
    ...(handshakeTimeout === undefined
      ? {}
      : { handshakeTimeoutMs: parseSeconds(handshakeTimeout, "--handshake-timeout") }),
    ...(idleTimeout === undefined ? {} : { idleTimeoutMs: parseSeconds(idleTimeout, "--idle-timeout") }),
    ...(busyPoll === undefined ? {} : { busyPollUs: parseMicroseconds(busyPoll, "--busy-poll") }),
  };
  const tls = await tlsOf(words);
  return tls === null ? counts : { ...counts, tls };
}

async function tlsOf(words: ServerWords): Promise<TlsServerSettings | null> {
  const { tls, tlsCertificates, tlsPsk, tlsVerifyPeer = false } = words;
  const hasCredentials = tlsCertificates !== undefined || tlsPsk !== undefined;
  const mode = tls ?? (hasCredentials ? "required" : "off");
  if (mode !== "off" && mode !== "optional" && mode !== "required")
    throw new UsageError(`--tls takes off, optional or required, not ${mode}`);
  if (mode !== "off" && !hasCredentials)
    throw new UsageError(`--tls ${mode} needs --tls-certificates FOLDER or --tls-psk FILE`);
  if (tlsVerifyPeer && tlsCertificates === undefined)
    throw new UsageError("--tls-verify-peer needs --tls-certificates FOLDER with ca-cert.pem in it");
  if (mode === "off") return null;
  return {
    mode,
    ...(tlsCertificates === undefined
      ? {}
      : { certificates: await readCertificateFolder(tlsCertificates, "server") }),
    ...(tlsPsk === undefined ? {} : { pskKeys: await readPskFile(tlsPsk) }),
    verifiesPeer: tlsVerifyPeer,
  };
}

function parseWhole(text: string, option: string): number {
  const count = Number(text);
  if (/^\d{1,9}$/.test(text) && count > 0) return count;
  throw new UsageError(`${option} takes a whole number from 1 on, not ${text}`);
}

function parseMicroseconds(text: string, option: string): number {
  if (/^\d{1,4}$/.test(text) && Number(text) <= 1000) return Number(text);
  throw new UsageError(`${option} takes a whole number from 0 to 1000, not ${text}`);
}

function parseSeconds(text: string, option: string): number {
  const ms = Math.round(Number(text) * 1000);
  if (/^\d{1,6}(\.\d+)?$/.test(text) && ms > 0) return ms;
  throw new UsageError(`${option} takes seconds, such as 30 or 0.5, not ${text}`);
}

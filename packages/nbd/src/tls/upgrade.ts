import { isIP } from "node:net";
import type { Socket } from "node:net";
import { connect, createServer } from "node:tls";
import type { ConnectionOptions, PeerCertificate, TLSSocket, TlsOptions } from "node:tls";
import { CevError } from "@cev/core";
import { tlsTransport } from "../transport/tls-transport.ts";
import type { Transport, TransportUser } from "../transport/transport.ts";
import { clientContextOptions, serverContextOptions, usesPsk } from "./credentials.ts";
import type { TlsClientSettings, TlsServerSettings } from "./credentials.ts";
import type { Security } from "./security.ts";

/** A connection after its TLS handshake. The transport waits for its first `resume`. */
export interface Upgraded {
  readonly transport: Transport;
  readonly security: Security;
}

/** The server's side of TLS. */
export interface TlsServer {
  /**
   * Does the TLS handshake over a connected socket that nobody reads. Rejects with `CEV_ACCESS` when the client may not in,
   * with `CEV_PROTOCOL` when the handshake fails; the socket is destroyed then, and `user` is told nothing.
   */
  upgrade(socket: Socket, user: TransportUser): Promise<Upgraded>;
}

/** Checks the settings, and throws `CEV_INVALID` for those that make no sense. */
export function tlsServer(settings: TlsServerSettings): TlsServer {
  const { verifiesPeer = false, pskKeys } = settings;
  const options: TlsOptions = {
    ...serverContextOptions(settings),
    requestCert: verifiesPeer,
    // Beside keys Node would refuse those who have one, and no certificate: that is judged below.
    rejectUnauthorized: pskKeys === undefined,
  };
  return { upgrade: (socket, user) => upgradeServer(socket, user, settings, options) };
}

// A server of Node's for each handshake, that never listens: only a server checks the certificates of clients, and only with
// one of its own is it plain to which connection its events belong.
function upgradeServer(
  socket: Socket,
  user: TransportUser,
  { pskKeys, verifiesPeer = false, certificates }: TlsServerSettings,
  options: TlsOptions,
): Promise<Upgraded> {
  return new Promise((resolve, reject) => {
    let username: string | null = null;
    const server = createServer({
      ...options,
      ...(pskKeys === undefined
        ? {}
        : {
            pskCallback: (_socket: TLSSocket, identity: string) => {
              const psk = pskKeys.get(identity);
              if (psk === undefined) return null;
              username = identity;
              return psk;
            },
          }),
    });
    const fail = (cause: Error, secure?: TLSSocket): void => {
      socket.destroy();
      reject(handshakeError(cause, secure, "client"));
    };
    // What goes wrong below surfaces in the server, with the reason where there is one; it must be listened to all the same.
    socket.on("error", () => undefined);
    server.on("tlsClientError", fail);
    server.on("secureConnection", (secure) => {
      const hasKey = username !== null && usedKey(secure);
      if (!hasKey && (verifiesPeer ? !secure.authorized : certificates === undefined))
        return fail(new Error("it has shown neither a certificate nor a key that is believed"), secure);
      if (!hasKey) username = null;
      secure.allowHalfOpen = true;
      secure.pause();
      return resolve({ transport: tlsTransport(secure, user), security: securityOf(secure, username) });
    });
    // Who leaves in the middle of the handshake has left: Node would wait for the end of a half-open one.
    socket.allowHalfOpen = false;
    server.emit("connection", socket);
  });
}

/**
 * Whether the handshake was done with a key that both sides have. To offer a name is not enough: where the hash of the cipher
 * does not fit the key, OpenSSL goes on with certificates and never looks at the key. With version 1.3 a key counts as a
 * session that is used again, and sessions of other connections cannot be: their tickets were made by another server.
 */
function usedKey(secure: TLSSocket): boolean {
  return secure.getProtocol() === "TLSv1.3"
    ? secure.isSessionReused()
    : secure.getCipher().name.includes("PSK");
}

/**
 * The client's side: does the TLS handshake over a connected socket that nobody reads. Rejects with `CEV_ACCESS` when one of
 * both does not believe the other, with `CEV_PROTOCOL` when the handshake fails, with `CEV_INVALID` for settings that make no
 * sense; the socket is destroyed then, and `user` is told nothing. A server that does not believe a client's certificate may
 * say so after that: the connection is closed then.
 */
export async function tlsClient(
  socket: Socket,
  settings: TlsClientSettings,
  user: TransportUser,
): Promise<Upgraded> {
  let options: ConnectionOptions;
  try {
    options = clientOptions(socket, settings);
  } catch (error) {
    socket.destroy();
    throw error;
  }
  const username = usesPsk(settings) ? settings.psk!.username : null;
  return new Promise((resolve, reject) => {
    const secure = connect(options);
    const fail = (cause: Error): void => {
      socket.destroy();
      reject(handshakeError(cause, secure, "server"));
    };
    const lost = (): void => fail(new Error("the connection was lost"));
    socket.on("error", fail);
    secure.on("error", fail);
    secure.once("close", lost);
    secure.once("secureConnect", () => {
      secure.off("error", fail);
      secure.off("close", lost);
      secure.pause();
      resolve({ transport: tlsTransport(secure, user), security: securityOf(secure, username) });
    });
  });
}

function clientOptions(socket: Socket, settings: TlsClientSettings): ConnectionOptions {
  const context = clientContextOptions(settings);
  if (usesPsk(settings)) {
    const { username, key } = settings.psk!;
    return {
      ...context,
      socket,
      pskCallback: () => ({ identity: username, psk: key }),
      // Without a certificate there is nothing to check; but whoever has one in place of the key is somebody else.
      checkServerIdentity: (_host: string, certificate: PeerCertificate) =>
        isEmpty(certificate) ? undefined : new Error("the server has a certificate, and not the key"),
    };
  }
  const { hostname = "localhost", verifiesPeer } = settings;
  return {
    ...context,
    socket,
    host: hostname,
    ...(isIP(hostname) === 0 ? { servername: hostname } : {}),
    rejectUnauthorized: verifiesPeer,
  };
}

function securityOf(secure: TLSSocket, username: string | null): Security {
  const certificate = secure.getPeerCertificate();
  return {
    kind: "tls",
    protocol: secure.getProtocol() ?? "unknown",
    cipher: secure.getCipher().name,
    username,
    subject: isEmpty(certificate) || !secure.authorized ? null : subjectText(certificate),
  };
}

function isEmpty(certificate: PeerCertificate | null): boolean {
  return certificate === null || Object.keys(certificate).length === 0;
}

function subjectText({ subject }: PeerCertificate): string {
  return Object.entries(subject)
    .map(([name, value]) => `${name}=${Array.isArray(value) ? value.join("+") : String(value)}`)
    .join(",");
}

// Of OpenSSL and of Node: one side does not believe the other, or has nothing to show.
const REFUSALS =
  /CERT|PEER_DID_NOT|ISSUER|SIGNATURE|SELF_SIGNED|PSK|BINDER|IDENTITY|ALTNAME|UNKNOWN_CA|ACCESS_DENIED|CRL|HOSTNAME|the key/;

function handshakeError(cause: Error, secure: TLSSocket | undefined, side: "client" | "server"): CevError {
  const reason = authorizationErrorOf(secure);
  const code = "code" in cause ? String(cause.code) : "";
  const isRefused = reason !== null;
  const words = isRefused ? reason : `${code} ${cause.message}`;
  if (isRefused || REFUSALS.test(words)) {
    return new CevError("CEV_ACCESS", `the TLS handshake failed: ${wordsOf(words)}`, {
      cause,
      hint:
        side === "client"
          ? "the client needs a certificate or a key that this server believes"
          : "look at the certificates or keys of both sides",
    });
  }
  return new CevError("CEV_PROTOCOL", `the TLS handshake failed: ${wordsOf(words)}`, { cause });
}

/** Node has a code there, or an error, or nothing. */
function authorizationErrorOf(secure: TLSSocket | undefined): string | null {
  const reason: unknown = secure?.authorizationError;
  if (typeof reason === "string") return reason;
  return reason instanceof Error ? reason.message : null;
}

/** OpenSSL's words without its numbers and the names of its files. */
function wordsOf(text: string): string {
  const [, words] = /error:[0-9A-F]+:[^:]*:[^:]*:([^:]+)/.exec(text) ?? [];
  return (words ?? text).trim();
}

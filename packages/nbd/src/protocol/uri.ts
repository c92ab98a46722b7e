import { CevError } from "@cev/core";
import type { ErrorCode } from "@cev/core";
import { STRING_LENGTH_MAX } from "./numbers.ts";

/** Where a server is, which export is meant, and how the way there is secured: what `doc/uri.md` of NetworkBlockDevice/nbd puts into a URI. */
export interface NbdUri {
  /** True: `nbds`, never in plain. */
  readonly isTls: boolean;
  /** A Unix socket (a leading NUL: a name that is no file's), or a TCP port. */
  readonly address: { readonly path: string } | { readonly host: string; readonly port: number };
  /** The login name of TLS; null: none was given. */
  readonly username: string | null;
  /** Empty: the server's default export. */
  readonly exportName: string;
  readonly tls: NbdUriTls;
}

/** The part of the query that is about TLS. Files are named as they were given. */
export interface NbdUriTls {
  readonly type?: "x509" | "psk";
  /** A folder. */
  readonly certificates?: string;
  readonly pskFile?: string;
  /** The name that the server's certificate has to bear. */
  readonly hostname?: string;
  readonly verifyPeer?: boolean;
}

const PORT_DEFAULT = 10_809;
const PARTS = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?$/i;
const HOST_AND_PORT = /^(\[[\w:.%\-~]+\]|[^:[\]@]*)(?::([0-9]*))?$/i;
// RFC 3986: unreserved, sub-delims, ":", "@", "/", "?" and the percent sign of an escape.
const ALLOWED = /^[\w\-.~!$&'()*+,;=:@/?%]*$/;
const SCHEMES = ["nbd", "nbds", "nbd+unix", "nbds+unix"] as const;

/** The schemes of NBD URIs; the last ones are known, and refused in words. */
export const NBD_URI_SCHEMES: readonly string[] = [
  ...SCHEMES,
  ...["nbd+ssh", "nbds+ssh", "nbd+vsock", "nbds+vsock"],
];

/** Reads a URI. Throws `CEV_INVALID` for what makes no sense, and `CEV_NOT_SUPPORTED` for ways to a server that are not known here. */
export function parseNbdUri(text: string): NbdUri {
  const match = PARTS.exec(text);
  if (match === null) {
    throw wrong(
      "CEV_INVALID",
      "this is no NBD URI",
      "write nbd://HOST:PORT/EXPORT or nbd+unix:///EXPORT?socket=PATH",
    );
  }
  const [, scheme = "", authority = "", rawPath = "", query = ""] = match;
  const kind = scheme.toLowerCase();
  checkScheme(kind);
  const isUnix = kind.endsWith("+unix");
  const at = authority.lastIndexOf("@");
  const username = at < 0 ? null : decode(authority.slice(0, at), "the user name");
  if (username?.includes(":") === true) {
    throw wrong(
      "CEV_INVALID",
      "the part before @ holds a colon",
      "a URI is no place for a password: name a file with tls-psk-file",
    );
  }
  const { socket, ...tls } = parseQuery(query);
  const address = isUnix
    ? unixAddress(authority.slice(at + 1), socket)
    : tcpAddress(authority.slice(at + 1), socket);
  const exportName = decode(rawPath.replace(/^\//, ""), "the name of the export");
  if (exportName.includes("\0")) throw wrong("CEV_INVALID", "the name of the export holds a zero byte");
  if (new TextEncoder().encode(exportName).length > STRING_LENGTH_MAX)
    throw wrong("CEV_INVALID", `the name of the export is longer than ${STRING_LENGTH_MAX} bytes`);
  return {
    isTls: kind.startsWith("nbds"),
    address,
    username: username === "" ? null : username,
    exportName,
    tls,
  };
}

/** The URI as text; `parseNbdUri` reads the same from it. */
export function formatNbdUri(uri: NbdUri): string {
  const { isTls, address, username, exportName, tls } = uri;
  const isUnix = "path" in address;
  const user = username === null ? "" : `${encodeURIComponent(username)}@`;
  const query: string[] = [];
  const add = (name: string, value: string | undefined): void => {
    if (value !== undefined) query.push(`${name}=${encodePath(value)}`);
  };
  if (isUnix) add("socket", address.path);
  add("tls-type", tls.type);
  add("tls-certificates", tls.certificates);
  add("tls-psk-file", tls.pskFile);
  add("tls-hostname", tls.hostname);
  add("tls-verify-peer", tls.verifyPeer === undefined ? undefined : tls.verifyPeer ? "1" : "0");
  const place = isUnix ? "" : hostAndPort(address);
  const scheme = `${isTls ? "nbds" : "nbd"}${isUnix ? "+unix" : ""}`;
  return `${scheme}://${user}${place}/${encodeURIComponent(exportName)}${query.length === 0 ? "" : `?${query.join("&")}`}`;
}

/** What people are shown: scheme, place and export, without login names and files of keys. */
export function showNbdUri(uri: NbdUri): string {
  return formatNbdUri({ ...uri, username: null, tls: {} });
}

/** A short name for people: the export's, or where the server is. */
export function nameOfNbdUri(uri: NbdUri): string {
  const { address, exportName } = uri;
  if (exportName !== "") return exportName.slice(exportName.lastIndexOf("/") + 1) || exportName;
  const place = placeOf(address);
  return "path" in address ? place.slice(place.lastIndexOf("/") + 1) : place;
}

/** The same with all that may tell it from others in front: `/run/nbd.sock/vg0/root`, `host/disk`. */
export function longNameOfNbdUri({ address, exportName }: NbdUri): string {
  return exportName === "" ? placeOf(address) : `${placeOf(address)}/${exportName}`;
}

/** Linux: a name that is no file's is shown with an at sign. */
const placeOf = (address: NbdUri["address"]): string =>
  "path" in address ? address.path.replace("\0", "@") : hostAndPort(address);

function checkScheme(kind: string): void {
  if ((SCHEMES as readonly string[]).includes(kind)) return;
  if (!/^nbds?(\+|$)/.test(kind))
    throw wrong("CEV_INVALID", `${kind} is no scheme of NBD`, "known are nbd, nbds, nbd+unix and nbds+unix");
  const hint = kind.endsWith("+ssh")
    ? "forward the server's socket with ssh -L LOCAL.sock:REMOTE.sock, and name LOCAL.sock with nbd+unix"
    : kind.endsWith("+vsock")
      ? "let the server listen on a TCP port or a Unix socket"
      : "known are nbd, nbds, nbd+unix and nbds+unix";
  throw wrong("CEV_NOT_SUPPORTED", `a server cannot be reached by ${kind} from here`, hint);
}

function unixAddress(authority: string, socket: string | undefined): { readonly path: string } {
  if (authority !== "") {
    throw wrong(
      "CEV_INVALID",
      "a Unix socket has no host",
      "put three slashes before the export: nbd+unix:///EXPORT?socket=PATH",
    );
  }
  if (socket === undefined || socket === "") {
    throw wrong("CEV_INVALID", "there is no socket= in it", "write nbd+unix:///EXPORT?socket=PATH");
  }
  return { path: socket };
}

function tcpAddress(
  authority: string,
  socket: string | undefined,
): { readonly host: string; readonly port: number } {
  if (socket !== undefined)
    throw wrong("CEV_INVALID", "socket= belongs to a Unix socket", "write nbd+unix:///EXPORT?socket=PATH");
  const match = HOST_AND_PORT.exec(authority);
  if (match === null)
    throw wrong("CEV_INVALID", "its host and port cannot be read", "write nbd://HOST:PORT/EXPORT");
  const [, rawHost = "", rawPort = ""] = match;
  const host = rawHost.startsWith("[")
    ? rawHost.slice(1, -1).replace("%25", "%")
    : decode(rawHost, "the host");
  if (host.includes("\0")) throw wrong("CEV_INVALID", "its host holds a zero byte");
  const port = rawPort === "" ? PORT_DEFAULT : Number(rawPort);
  if (port < 1 || port > 65_535) throw wrong("CEV_INVALID", `${rawPort} is no port: they go from 1 to 65535`);
  return { host: host === "" ? "localhost" : host, port };
}

function parseQuery(query: string): NbdUriTls & { readonly socket?: string } {
  const values = new Map<string, string>();
  for (const item of query.split(/[&;]/)) {
    if (item === "") continue;
    const equals = item.indexOf("=");
    const name = decode(equals < 0 ? item : item.slice(0, equals), "the query");
    if (values.has(name)) throw wrong("CEV_INVALID", `${name} is in it twice`);
    values.set(name, equals < 0 ? "" : decode(item.slice(equals + 1), name));
  }
  const found: {
    -readonly [key in keyof (NbdUriTls & { socket?: string })]: (NbdUriTls & { socket?: string })[key];
  } = {};
  for (const [name, value] of values) {
    switch (name) {
      case "socket":
        found.socket = value;
        break;
      case "tls-type":
        found.type = tlsType(value);
        break;
      case "tls-certificates":
        found.certificates = value;
        break;
      case "tls-psk-file":
        found.pskFile = value;
        break;
      case "tls-hostname":
        found.hostname = value;
        break;
      case "tls-verify-peer":
        found.verifyPeer = flag(name, value);
        break;
      default:
        throw wrong(
          "CEV_INVALID",
          `${printable(name)} is no option of an NBD URI`,
          "known are socket, tls-type, tls-certificates, tls-psk-file, tls-hostname and tls-verify-peer",
        );
    }
    if (value.includes("\0") && !(name === "socket" && value.lastIndexOf("\0") === 0))
      throw wrong("CEV_INVALID", `${name} holds a zero byte`);
  }
  return found;
}

function tlsType(value: string): "x509" | "psk" {
  const type = value.toLowerCase();
  if (type === "x509" || type === "psk") return type;
  if (type === "anon")
    throw wrong(
      "CEV_NOT_SUPPORTED",
      "anonymous TLS proves nothing and is refused",
      "give certificates or a PSK file",
    );
  throw wrong("CEV_INVALID", `${printable(value)} is no tls-type`, "known are x509 and psk");
}

function flag(name: string, value: string): boolean {
  if (/^(?:1|true|t|yes|y|on)$/i.test(value)) return true;
  if (/^(?:0|false|f|no|n|off)$/i.test(value)) return false;
  throw wrong("CEV_INVALID", `${name} is neither 1 nor 0`);
}

function decode(text: string, what: string): string {
  try {
    if (ALLOWED.test(text)) return decodeURIComponent(text);
  } catch {
    // Told below: a percent sign without two digits behind it, or bytes that are no UTF-8.
  }
  throw wrong(
    "CEV_INVALID",
    `${what} is not written as URIs have it`,
    "escape other characters as %XX, in UTF-8",
  );
}

function encodePath(text: string): string {
  return encodeURIComponent(text).replaceAll("%2F", "/");
}

function hostAndPort({ host, port }: { readonly host: string; readonly port: number }): string {
  const shown = host.includes(":") ? `[${host.replace("%", "%25")}]` : encodeURIComponent(host);
  return port === PORT_DEFAULT ? shown : `${shown}:${port}`;
}

/** Text of somebody else's, without what could move a cursor. */
function printable(text: string): string {
  return JSON.stringify(text.slice(0, 64));
}

// The text itself stays out of the error: it may hold a login name.
function wrong(code: ErrorCode, message: string, hint?: string): CevError {
  return new CevError(code, message, { ...(hint === undefined ? {} : { hint }), structure: "NBD URI" });
}

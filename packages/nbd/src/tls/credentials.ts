import { createSecureContext } from "node:tls";
import type { SecureContextOptions } from "node:tls";
import { CevError } from "@cev/core";

/** One side's certificate with its key, and whom it believes. All are PEM. */
export interface CertificateSet {
  /** Authorities whose certificates are believed. Without: those that Node believes. */
  readonly ca?: string | Uint8Array;
  /** Certificates that an authority has taken back. */
  readonly revoked?: string | Uint8Array;
  readonly certificate?: string | Uint8Array;
  readonly key?: string | Uint8Array;
}

/** Whether and how a server speaks TLS. */
export interface TlsServerSettings {
  /** "optional": clients may; exports that are for TLS alone are shown to those only. "required": nothing without it. */
  readonly mode: "off" | "optional" | "required";
  /** With `certificate` and `key`, and with `ca` where clients are verified. */
  readonly certificates?: CertificateSet;
  /** Keys that clients may have in place of certificates, by name. */
  readonly pskKeys?: ReadonlyMap<string, Uint8Array>;
  /** Clients need a certificate of an authority in `ca`. Default: no. */
  readonly verifiesPeer?: boolean;
}

/** Whether and how a client speaks TLS. */
export interface TlsClientSettings {
  readonly mode: "off" | "allowed" | "required";
  /** By default "psk" where there is a key, else "x509". */
  readonly type?: "x509" | "psk";
  readonly certificates?: CertificateSet;
  readonly psk?: { readonly username: string; readonly key: Uint8Array };
  /** The name that the server's certificate has to have. Default "localhost". */
  readonly hostname?: string;
  /** Whether the server's certificate is checked. Anybody can pretend to be a server that is not. */
  readonly verifiesPeer: boolean;
}

const MIN_VERSION = "TLSv1.2";
// Of version 1.3 those that Node offers; the hash of the second kind does not fit keys, and OpenSSL leaves it out by itself.
const CIPHERS_13 = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
const PSK_CIPHERS = `PSK+HIGH:${CIPHERS_13}`;
const ALL_CIPHERS = `PSK+HIGH:ECDHE+HIGH:!aNULL:${CIPHERS_13}`;

/** What Node wants to know for a server. Throws `CEV_INVALID` for settings that make no sense, or that it cannot read. */
export function serverContextOptions(settings: TlsServerSettings): SecureContextOptions {
  const { certificates, pskKeys, verifiesPeer = false } = settings;
  const hasKeys = pskKeys !== undefined && pskKeys.size > 0;
  if (certificates === undefined && !hasKeys) {
    throw invalid("TLS needs certificates or keys", "give a certificate with its key, or a file of keys");
  }
  if (certificates === undefined) {
    if (verifiesPeer) throw invalid("certificates of clients cannot be verified without an authority");
    return checked({ minVersion: MIN_VERSION, ciphers: PSK_CIPHERS });
  }
  if (certificates.certificate === undefined || certificates.key === undefined)
    throw invalid("a server needs a certificate and its key");
  if (verifiesPeer && certificates.ca === undefined)
    throw invalid("certificates of clients cannot be verified without an authority (ca-cert.pem)");
  if (hasKeys && !verifiesPeer) {
    // Whoever has no key would be let in without anything.
    throw invalid(
      "keys beside certificates keep nobody out",
      "verify the certificates of clients, too, or give one of both",
    );
  }
  return checked({
    ...contextOf(certificates),
    minVersion: MIN_VERSION,
    ...(hasKeys ? { ciphers: ALL_CIPHERS } : {}),
  });
}

/** What Node wants to know for a client. Throws `CEV_INVALID` for settings that make no sense, or that it cannot read. */
export function clientContextOptions(settings: TlsClientSettings): SecureContextOptions {
  if (usesPsk(settings)) {
    if (settings.psk === undefined) throw invalid("there is no key to connect with");
    return checked({ minVersion: MIN_VERSION, ciphers: PSK_CIPHERS });
  }
  const { certificates = {} } = settings;
  if ((certificates.certificate === undefined) !== (certificates.key === undefined))
    throw invalid("a certificate and its key go together");
  return checked({ ...contextOf(certificates), minVersion: MIN_VERSION });
}

/** Whether a client shows a key that both sides have, not a certificate. */
export function usesPsk({ type, psk }: TlsClientSettings): boolean {
  return type === undefined ? psk !== undefined : type === "psk";
}

function contextOf({ ca, revoked, certificate, key }: CertificateSet): SecureContextOptions {
  return {
    ...(ca === undefined ? {} : { ca: nodeText(ca) }),
    ...(revoked === undefined ? {} : { crl: nodeText(revoked) }),
    ...(certificate === undefined ? {} : { cert: nodeText(certificate) }),
    ...(key === undefined ? {} : { key: nodeText(key) }),
  };
}

function nodeText(text: string | Uint8Array): string | Buffer {
  return typeof text === "string" ? text : Buffer.from(text.buffer, text.byteOffset, text.length);
}

function checked(options: SecureContextOptions): SecureContextOptions {
  try {
    createSecureContext(options);
    return options;
  } catch (cause) {
    // OpenSSL says which part it does not like, and nothing of what is in it.
    const why = cause instanceof Error ? cause.message.replace(/^error:[0-9A-F]+:/, "") : "";
    throw new CevError("CEV_INVALID", `the certificate, its key or its authority cannot be used: ${why}`, {
      cause,
    });
  }
}

function invalid(message: string, hint?: string): CevError {
  return new CevError("CEV_INVALID", message, hint === undefined ? {} : { hint });
}

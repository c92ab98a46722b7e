import type { Buffer } from "node:buffer";
import { X509Certificate, createPrivateKey } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { createSecureContext } from "node:tls";
import { CevError } from "@cev/core";

/** A file of certificates or keys. */
export interface PemFile {
  readonly path: string;
  readonly bytes: Buffer;
}

// OpenSSL passes over authorities in another form without a word.
const PEM_BEGIN = "-----BEGIN ";
// In the head of both kinds of locked keys, and not in base64 at such length by chance.
const LOCKED = "ENCRYPTED";

/** Throws `CEV_INVALID`, with the file's name, for what is no certificate. */
export function checkCertificate({ path, bytes }: PemFile): X509Certificate {
  if (!bytes.includes(PEM_BEGIN)) throw invalid(path, "it is no certificate in PEM form");
  try {
    return new X509Certificate(bytes);
  } catch (cause) {
    throw invalid(path, "it is no certificate in PEM form", { cause });
  }
}

/** The same for a list of certificates that an authority has taken back. */
export function checkRevoked({ path, bytes }: PemFile): void {
  try {
    createSecureContext({ crl: bytes });
  } catch (cause) {
    throw invalid(path, "it is no list of revoked certificates in PEM form", { cause });
  }
}

/** The same for a key, which also has to be the one of the certificate. */
export function checkKey(file: PemFile, certificate: PemFile): void {
  const key = keyIn(file);
  if (!checkCertificate(certificate).checkPrivateKey(key))
    throw invalid(file.path, `it is not the key of ${certificate.path}`);
}

function keyIn({ path, bytes }: PemFile): KeyObject {
  try {
    return createPrivateKey(bytes);
  } catch {
    // What OpenSSL says of a key is not passed on: nothing of it belongs into an error.
    if (!bytes.includes(LOCKED)) throw invalid(path, "it is no private key in PEM form");
    throw invalid(path, "the key is locked by a passphrase", { hint: "openssl pkey writes one without" });
  }
}

function invalid(
  source: string,
  message: string,
  place: { readonly cause?: unknown; readonly hint?: string } = {},
): CevError {
  return new CevError("CEV_INVALID", message, { source, ...place });
}

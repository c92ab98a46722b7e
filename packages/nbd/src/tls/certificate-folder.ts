import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { CevError } from "@cev/core";
import { checkCertificate, checkKey, checkRevoked } from "./certificate-check.ts";
import type { PemFile } from "./certificate-check.ts";
import type { CertificateSet } from "./credentials.ts";

/**
 * Reads a folder of PEM files, named as nbdkit, QEMU and libnbd name them: `ca-cert.pem` (the authority), `ca-crl.pem` (what it
 * took back), and `server-cert.pem` with `server-key.pem`, or `client-cert.pem` with `client-key.pem`. A server needs its
 * two; everything else may be absent. Fails with `CEV_NOT_FOUND`, `CEV_ACCESS`, `CEV_INVALID`, and names the file.
 */
export async function readCertificateFolder(
  folder: string,
  side: "server" | "client",
): Promise<CertificateSet> {
  const isNeeded = side === "server";
  const [ca, revoked, certificate, key] = await Promise.all([
    readPem(join(folder, "ca-cert.pem"), false),
    readPem(join(folder, "ca-crl.pem"), false),
    readPem(join(folder, `${side}-cert.pem`), isNeeded),
    readPem(join(folder, `${side}-key.pem`), isNeeded),
  ]);
  // What OpenSSL says of all of them together names none.
  if (ca !== null) checkCertificate(ca);
  if (revoked !== null) checkRevoked(revoked);
  if (certificate !== null) checkCertificate(certificate);
  if (certificate !== null && key !== null) checkKey(key, certificate);
  if (ca === null && certificate === null)
    throw new CevError("CEV_NOT_FOUND", "neither ca-cert.pem nor client-cert.pem is there", {
      source: folder,
    });
  return {
    ...(ca === null ? {} : { ca: ca.bytes }),
    ...(revoked === null ? {} : { revoked: revoked.bytes }),
    ...(certificate === null ? {} : { certificate: certificate.bytes }),
    ...(key === null ? {} : { key: key.bytes }),
  };
}

async function readPem(path: string, isNeeded: boolean): Promise<PemFile | null> {
  try {
    return { path, bytes: await readFile(path) };
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : "";
    if (code === "ENOENT" && !isNeeded) return null;
    throw fileError(path, cause);
  }
}

/** Why a file of certificates or keys cannot be read. */
export function fileError(path: string, cause: unknown): CevError {
  const code = cause instanceof Error && "code" in cause ? cause.code : "";
  const place = { source: path, cause };
  if (code === "ENOENT" || code === "ENOTDIR")
    return new CevError("CEV_NOT_FOUND", "there is no such file", place);
  if (code === "EACCES" || code === "EPERM")
    return new CevError("CEV_ACCESS", "the system does not let this user read it", place);
  return new CevError("CEV_INVALID", "it cannot be read", place);
}

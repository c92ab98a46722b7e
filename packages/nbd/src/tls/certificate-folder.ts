import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { CevError } from "@cev/core";
import type { CertificateSet } from "./credentials.ts";

/**
 * Reads a folder of PEM files, named as nbdkit, QEMU and libnbd name them: `ca-cert.pem` (the authority), `ca-crl.pem` (what it
 * took back), and `server-cert.pem` with `server-key.pem`, or `client-cert.pem` with `client-key.pem`. A server needs its
 * two; everything else may be absent. Fails with `CEV_NOT_FOUND`, `CEV_ACCESS`, `CEV_INVALID`.
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
  if (ca === null && certificate === null)
    throw new CevError("CEV_NOT_FOUND", "neither ca-cert.pem nor client-cert.pem is there", {
      source: folder,
    });
  return {
    ...(ca === null ? {} : { ca }),
    ...(revoked === null ? {} : { revoked }),
    ...(certificate === null ? {} : { certificate }),
    ...(key === null ? {} : { key }),
  };
}

async function readPem(path: string, isNeeded: boolean): Promise<Uint8Array | null> {
  try {
    return await readFile(path);
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

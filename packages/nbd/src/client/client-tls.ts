import { resolve } from "node:path";
import { CevError } from "@cev/core";
import type { NbdUri } from "../protocol/uri.ts";
import { readCertificateFolder } from "../tls/certificate-folder.ts";
import type { TlsClientSettings } from "../tls/credentials.ts";
import { pskOf, readPskFile } from "../tls/psk-file.ts";
import type { NbdOptions } from "./client-options.ts";

/** Where credentials are looked for. */
export interface TlsPlaces {
  readonly directory?: string;
  readonly loginName?: string;
}

/**
 * How the way to a server is secured; null: not at all. Whoever names certificates or keys wants them used: then a server
 * without TLS is refused, whatever the scheme says. What the URI names goes before the options.
 */
export async function tlsSettingsOf(
  uri: NbdUri,
  options: Pick<NbdOptions, "tlsCertificates" | "tlsPskFile" | "tlsUsername">,
  { directory = ".", loginName }: TlsPlaces,
): Promise<TlsClientSettings | null> {
  const folder = uri.tls.certificates ?? options.tlsCertificates;
  const keyFile = uri.tls.pskFile ?? options.tlsPskFile;
  if (!uri.isTls && folder === undefined && keyFile === undefined) {
    const { type, hostname, verifyPeer } = uri.tls;
    if (type === undefined && hostname === undefined && verifyPeer === undefined) return null;
    throw new CevError("CEV_INVALID", "the URI says how TLS is to be done, and not that it is", {
      hint: "write nbds instead of nbd",
    });
  }
  const type = uri.tls.type ?? (keyFile === undefined ? "x509" : "psk");
  const hostname = uri.tls.hostname ?? ("host" in uri.address ? uri.address.host : "localhost");
  const common = { mode: "required", type, hostname, verifiesPeer: uri.tls.verifyPeer ?? true } as const;
  if (type === "psk") {
    if (keyFile === undefined)
      throw new CevError("CEV_INVALID", "there is no key to connect with", {
        hint: "name its file with tls-psk-file",
      });
    const username = uri.username ?? options.tlsUsername ?? loginName;
    if (username === undefined)
      throw new CevError("CEV_INVALID", "it is not known whose key is meant", {
        hint: "write nbds://NAME@HOST/…",
      });
    const path = resolve(directory, keyFile);
    const keys = await readPskFile(path);
    const psk = pskOf(keys, username, path);
    for (const [name, key] of keys) if (name !== username) key.fill(0);
    return { ...common, psk };
  }
  if (folder === undefined) return common;
  return { ...common, certificates: await readCertificateFolder(resolve(directory, folder), "client") };
}

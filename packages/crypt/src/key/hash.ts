import { createHash, getHashes } from "node:crypto";
import { CevError } from "@cev/core";

// Where the kernel's name differs from OpenSSL's.
const OPENSSL_NAMES: Readonly<Record<string, string>> = {
  "blake2b-512": "blake2b512",
  "blake2s-256": "blake2s256",
  rmd160: "ripemd160",
};

/** OpenSSL's name of a hash that a LUKS header names. Throws `CEV_UNKNOWN_FEATURE` for one that is not to be had. */
export function opensslHash(name: string): string {
  const known = OPENSSL_NAMES[name] ?? name;
  if (!/^[a-z0-9-]+$/.test(known) || !getHashes().includes(known)) {
    throw new CevError("CEV_UNKNOWN_FEATURE", `the hash ${JSON.stringify(name)} is not known here`, {
      hint: "OpenSSL as built into this Node.js does not have it",
    });
  }
  return known;
}

/** Bytes of a digest. */
export function hashLength(name: string): number {
  return createHash(opensslHash(name)).digest().length;
}

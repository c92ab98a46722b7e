import { getHashes, hash } from "node:crypto";
import { CevError } from "@cev/core";
import { Whirlpool } from "./whirlpool.ts";

// Where the kernel's name differs from OpenSSL's.
const OPENSSL_NAMES: Readonly<Record<string, string>> = {
  "blake2b-512": "blake2b512",
  "blake2s-256": "blake2s256",
  rmd160: "ripemd160",
};

/** Whirlpool under the kernel's names, whole or cut off, in bytes. */
const WHIRLPOOL_LENGTHS: ReadonlyMap<string, number> = new Map([
  ["whirlpool", 64],
  ["wp512", 64],
  ["wp384", 48],
  ["wp256", 32],
]);

/** True for Whirlpool at its full length, which is not OpenSSL's, but known here. */
export function isWhirlpool(name: string): boolean {
  return WHIRLPOOL_LENGTHS.get(name) === 64;
}

/** OpenSSL's name of a hash that a LUKS header names. Throws `CEV_UNKNOWN_FEATURE` for one that OpenSSL does not have here. */
export function opensslHash(name: string): string {
  const known = OPENSSL_NAMES[name] ?? name;
  if (!/^[a-z0-9-]+$/.test(known) || !getHashes().includes(known)) {
    throw new CevError("CEV_UNKNOWN_FEATURE", `the hash ${JSON.stringify(name)} is not known here`, {
      hint: "OpenSSL as built into this Node.js does not have it",
    });
  }
  return known;
}

/** Bytes of a digest. Throws `CEV_UNKNOWN_FEATURE` for a hash that is not to be had. */
export function hashLength(name: string): number {
  return hasherOf(name)(new Uint8Array(0)).length;
}

/** The digest of some bytes. Throws as `hashLength`. The caller wipes it where it is a secret. */
export function digest(name: string, bytes: Uint8Array): Uint8Array {
  return hasherOf(name)(bytes);
}

/** Makes digests, looked up once for many of them. Throws as `hashLength`. */
export function hasherOf(name: string): (bytes: Uint8Array) => Uint8Array {
  const length = WHIRLPOOL_LENGTHS.get(name);
  if (length === undefined) {
    const known = opensslHash(name);
    return (bytes) => hash(known, bytes, "buffer");
  }
  return (bytes) => {
    const whole = new Uint8Array(64);
    const whirlpool = new Whirlpool().update(bytes);
    whirlpool.digest(whole);
    whirlpool.wipe();
    return whole.subarray(0, length);
  };
}

import { CevError } from "@cev/core";
import { hasherOf } from "../key/hash.ts";
import { wipe } from "../key/secret.ts";

const LETTER_A = 0x41;

/** How a passphrase becomes the key of a plain device: a hash and how many bytes of the key it fills. */
export interface PlainHash {
  /** Null: the passphrase itself is the key. */
  readonly name: string | null;
  /** Bytes of the key that are filled; the others are zero. Null: all. */
  readonly length: number | null;
}

/** Takes "sha256", "sha256:16", "plain" or "plain:16" apart. Null: it is none of these. Whether there is such a hash is not asked. */
export function parsePlainHash(text: string): PlainHash | null {
  const match = /^([a-z0-9][a-z0-9-]*)(?::([1-9][0-9]{0,3}))?$/.exec(text);
  if (match === null) return null;
  const [, name, length] = match;
  return { name: name === "plain" ? null : name!, length: length === undefined ? null : Number(length) };
}

/**
 * The key of a plain dm-crypt device from a passphrase, as cryptsetup makes it: no salt, no iterations. Where the key is longer than the
 * digest, the passphrase is hashed again for each further piece with one more letter "A" before it. The caller wipes the result. Throws
 * `CEV_INVALID` for a hash that cannot be read or fills more than the key and for a passphrase that is too short for "plain:<bytes>",
 * `CEV_UNKNOWN_FEATURE` for a hash that is not to be had.
 */
export function hashPlainPassphrase(passphrase: Uint8Array, hash: string, keySize: number): Uint8Array {
  const parsed = parsePlainHash(hash);
  if (parsed === null) throw invalid(`${JSON.stringify(hash)} is not a hash such as "sha256" or "sha256:16"`);
  const filled = parsed.length ?? keySize;
  if (filled > keySize) throw invalid(`the hash ${hash} fills more than the ${keySize} bytes of the key`);
  if (parsed.name === null && parsed.length !== null && passphrase.length < filled)
    throw invalid(`the passphrase is shorter than the ${filled} bytes that ${hash} asks for`);
  const hasher = parsed.name === null ? null : hasherOf(parsed.name);
  const key = new Uint8Array(keySize);
  if (hasher === null) key.set(passphrase.subarray(0, filled));
  else fillWithDigests(key.subarray(0, filled), hasher, passphrase);
  return key;
}

function fillWithDigests(
  key: Uint8Array,
  hasher: (bytes: Uint8Array) => Uint8Array,
  passphrase: Uint8Array,
): void {
  for (let at = 0, round = 0; at < key.length; round++) {
    const message = new Uint8Array(round + passphrase.length).fill(LETTER_A, 0, round);
    message.set(passphrase, round);
    const digest = hasher(message);
    wipe(message);
    const piece = digest.subarray(0, key.length - at);
    key.set(piece, at);
    at += piece.length;
    wipe(digest);
  }
}

/** The key of a plain device from the contents of a key file: its first bytes, as they are. Throws `CEV_INVALID` when there are too few. */
export function plainKeyFromFile(contents: Uint8Array, keySize: number): Uint8Array {
  if (contents.length < keySize)
    throw invalid(`the key file has ${contents.length} bytes, and the key has ${keySize}`);
  // A copy: a Buffer's own slice would share its memory, which then is wiped.
  return Uint8Array.from(contents.subarray(0, keySize));
}

function invalid(message: string): CevError {
  return new CevError("CEV_INVALID", message);
}

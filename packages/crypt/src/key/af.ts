import { assert } from "@cev/core";
import { hashLength, hasherOf } from "./hash.ts";
import { wipe } from "./secret.ts";

/** Settings of the splitter: as many stripes of the key's length, diffused by a hash. */
export interface SplitOptions {
  readonly stripes: number;
  readonly hash: string;
}

/**
 * The anti-forensic splitter (LUKS1 On-Disk Format Specification, chapter 2.4): `key` becomes `stripes` times its length,
 * of which every byte is needed to have it back. `random` fills all stripes but the last. The caller wipes the result.
 */
export function splitKey(
  key: Uint8Array,
  options: SplitOptions,
  random: (bytes: Uint8Array) => void,
): Uint8Array {
  const split = new Uint8Array(key.length * options.stripes);
  const last = split.length - key.length;
  random(split.subarray(0, last));
  const mixed = mix(split.subarray(0, last), key.length, options.hash);
  for (let at = 0; at < key.length; at++) split[last + at] = mixed[at]! ^ key[at]!;
  wipe(mixed);
  return split;
}

/** Merges what `splitKey` made. The caller wipes both. */
export function mergeKey(split: Uint8Array, options: SplitOptions): Uint8Array {
  assert(split.length % options.stripes === 0, "the split key is a whole number of stripes");
  const length = split.length / options.stripes;
  const last = split.length - length;
  const key = mix(split.subarray(0, last), length, options.hash);
  for (let at = 0; at < length; at++) key[at] = key[at]! ^ split[last + at]!;
  return key;
}

/** Exclusive-or and diffusion in turn over all stripes. */
function mix(stripes: Uint8Array, length: number, hash: string): Uint8Array {
  const mixed = new Uint8Array(length);
  const step = hashLength(hash);
  const diffusion = { hasher: hasherOf(hash), step, scratch: new Uint8Array(4 + step) };
  for (let at = 0; at < stripes.length; at += length) {
    for (let index = 0; index < length; index++) mixed[index] = mixed[index]! ^ stripes[at + index]!;
    diffuse(mixed, diffusion);
  }
  wipe(diffusion.scratch);
  return mixed;
}

/** Replaces each piece of the hash's length by the hash of its number (big-endian) and itself; the last piece may be shorter. */
function diffuse(block: Uint8Array, { hasher, step, scratch }: Diffusion): void {
  const view = new DataView(scratch.buffer);
  for (let at = 0, index = 0; at < block.length; at += step, index++) {
    view.setUint32(0, index);
    const piece = block.subarray(at, at + step);
    scratch.set(piece, 4);
    const digest = hasher(scratch.subarray(0, 4 + piece.length));
    piece.set(digest.subarray(0, piece.length));
    wipe(digest);
  }
}

interface Diffusion {
  readonly hasher: (bytes: Uint8Array) => Uint8Array;
  /** Bytes of a digest. */
  readonly step: number;
  readonly scratch: Uint8Array;
}

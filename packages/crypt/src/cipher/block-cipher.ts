import { createCipheriv, createDecipheriv, createSecretKey, getCipherInfo } from "node:crypto";
import type { Evp } from "./ffi/evp.ts";
import { FfiTransform } from "./ffi/ffi-transform.ts";
import { KernelTransform } from "./kernel-transform.ts";
import { expandSerpentKey } from "./serpent-keys.ts";
import { expandTwofishKey } from "./twofish-keys.ts";
import { serpentKernel, twofishKernel } from "../kernels/block-kernel.ts";

/** Ciphers of 16-byte blocks, as Linux calls them. */
export type BlockCipher = "aes" | "camellia" | "aria" | "sm4" | "serpent" | "twofish";

/** How a run of blocks is gone through: each by itself, or chained as one. */
export type BlockChaining = "ecb" | "cbc";

/** A run of whole blocks of 16 bytes. The result is the callee's own memory: copy it out, then `discardResult`. */
export interface BlockTransform {
  update(data: Uint8Array): Buffer;
  /** Where there is one: the same without a result, in memory of WebAssembly. */
  inPlace?(bytes: Uint8Array, address: number, length: number): void;
}

// In bytes. OpenSSL calls them by cipher and bits, but for the one that has a single length.
const KEY_SIZES: Readonly<Record<BlockCipher, readonly number[]>> = {
  aes: [16, 24, 32],
  camellia: [16, 24, 32],
  aria: [16, 24, 32],
  sm4: [16],
  serpent: [16, 24, 32],
  twofish: [16, 24, 32],
};

/** Names of the ciphers that are known here and that the OpenSSL of this Node.js has. */
export function blockCiphers(): readonly BlockCipher[] {
  const names = Object.keys(KEY_SIZES) as BlockCipher[];
  return names.filter((name) => blockCipherKeySizes(name).length > 0);
}

/** False for the ciphers that are kernels of this package's own. */
export function isOpensslCipher(cipher: BlockCipher): boolean {
  return cipher !== "serpent" && cipher !== "twofish";
}

/** The lengths of key in bytes that a cipher takes, ascending; none when it is not known, or not in the OpenSSL of this Node.js. */
export function blockCipherKeySizes(cipher: string): readonly number[] {
  if (!Object.hasOwn(KEY_SIZES, cipher)) return [];
  const name = cipher as BlockCipher;
  if (!isOpensslCipher(name)) return KEY_SIZES[name];
  // Some builds of OpenSSL leave ciphers out, and what stands in for it elsewhere (BoringSSL) has AES alone.
  return KEY_SIZES[name].filter((keySize) =>
    (["ecb", "cbc"] as const).every(
      (chaining) => getCipherInfo(opensslName(name, keySize, chaining)) !== undefined,
    ),
  );
}

/**
 * A persistent encryption or decryption under one key. ECB keeps no state between calls; CBC goes on from one call to the next, from a zero
 * block at first; what `isOpensslCipher` denies chains when it decrypts only. `evp`: call OpenSSL there where it can be, instead of through `node:crypto`.
 */
export function createBlockTransform(
  cipher: BlockCipher,
  key: Uint8Array,
  chaining: BlockChaining,
  direction: "encrypt" | "decrypt",
  evp: Evp | null = null,
): BlockTransform {
  if (cipher === "serpent")
    return new KernelTransform(serpentKernel, expandSerpentKey(key), chaining, direction);
  if (cipher === "twofish")
    return new KernelTransform(twofishKernel, expandTwofishKey(key), chaining, direction);
  const algorithm = opensslName(cipher, key.length, chaining);
  const foreign =
    evp === null || chaining !== "ecb" ? null : FfiTransform.create(evp, algorithm, key, direction);
  if (foreign !== null) return foreign;
  const secret = createSecretKey(key);
  const iv = chaining === "ecb" ? null : new Uint8Array(16);
  const transform =
    direction === "encrypt" ? createCipheriv(algorithm, secret, iv) : createDecipheriv(algorithm, secret, iv);
  // Without padding every block comes out at once.
  transform.setAutoPadding(false);
  return transform;
}

/** Frees a result at once instead of leaving it to the garbage collector, which large results overwhelm. */
export function discardResult(result: Buffer): void {
  const { buffer } = result;
  // A small result may share its memory with others; and Node before 21 leaves even a large one to the collector.
  if (!(buffer instanceof ArrayBuffer) || result.byteLength !== buffer.byteLength) return;
  if ("transfer" in buffer) buffer.transfer(0);
}

/** Puts the transform of a range of memory in its place. */
export function transformInPlace(
  transform: BlockTransform,
  bytes: Uint8Array,
  address: number,
  length: number,
): void {
  if (transform.inPlace !== undefined) return transform.inPlace(bytes, address, length);
  const result = transform.update(bytes.subarray(address, address + length));
  bytes.set(result, address);
  discardResult(result);
}

function opensslName(cipher: BlockCipher, keySize: number, chaining: BlockChaining): string {
  return cipher === "sm4" ? `sm4-${chaining}` : `${cipher}-${keySize * 8}-${chaining}`;
}

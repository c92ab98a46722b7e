import { isCevError } from "@cev/core";
import type { AbortSignalLike, Environment } from "@cev/core";
import { parseCipher } from "../cipher/cipher-spec.ts";
import { createSectorCipher } from "../cipher/sector-cipher.ts";
import { chooseCost } from "../key/cost.ts";
import type { CostTarget, KeyCost } from "../key/cost.ts";
import { throwIfCancelled } from "./command.ts";

/** Settings of `benchmark`. */
export interface BenchmarkOptions {
  readonly environment: Environment;
  readonly signal?: AbortSignalLike;
  /** By default those that `cryptsetup benchmark` lists; for argon2 with what it takes for two seconds. */
  readonly kdfs?: readonly BenchmarkedKdf[];
  readonly ciphers?: readonly BenchmarkedCipher[];
  /** Bytes of the keys that are derived. Default 32. */
  readonly keySize?: number;
  /** Milliseconds for each direction of each cipher. Default 250. */
  readonly cipherTimeMs?: number;
  /** Is told each result as it comes. */
  readonly onResult?: (result: KdfResult | CipherResult) => void;
}

/** What is to be measured: pbkdf2 in iterations within the time (default a second), argon2 in memory and passes (default two). */
export type BenchmarkedKdf = CostTarget & { readonly type: "pbkdf2" | "argon2i" | "argon2id" };

export interface BenchmarkedCipher {
  /** "aes-xts", or with an iv: "aes-xts-plain64". */
  readonly cipher: string;
  /** Bytes. */
  readonly keySize: number;
}

/** What a key derivation takes on this machine; `cost` is null when it is not to be had here. */
export interface KdfResult extends BenchmarkedKdf {
  readonly kind: "kdf";
  readonly timeMs: number;
  readonly keySize: number;
  readonly cost: KeyCost | null;
}

/** Bytes in a second, both null when the cipher is not to be had here. */
export interface CipherResult extends BenchmarkedCipher {
  readonly kind: "cipher";
  readonly encrypted: number | null;
  readonly decrypted: number | null;
}

const PBKDF2_TIME_MS = 1000;
const ARGON2_TIME_MS = 2000;
const CIPHER_TIME_MS = 250;
const BUFFER_LENGTH = 1024 * 1024;
// Sectors as on a disk of today.
const UNITS = { unitLength: 4096, sectorStep: 8 };

const KDFS: readonly BenchmarkedKdf[] = [
  ...["sha1", "sha256", "sha512", "ripemd160", "whirlpool"].map((hash) => ({
    type: "pbkdf2" as const,
    hash,
  })),
  { type: "argon2i" },
  { type: "argon2id" },
];

const CIPHERS: readonly BenchmarkedCipher[] = [
  ...[16, 32].flatMap((keySize) => named("cbc", keySize)),
  ...[32, 64].flatMap((keySize) => named("xts", keySize)),
];

function named(mode: string, keySize: number): BenchmarkedCipher[] {
  return ["aes", "serpent", "twofish"].map((cipher) => ({ cipher: `${cipher}-${mode}`, keySize }));
}

/**
 * What key derivations and ciphers take on this machine, in memory alone (`cryptsetup benchmark`). Ciphers are measured as the
 * data path runs them, in one thread, requests of 1 MiB in sectors of 4096 bytes. Throws `CEV_CANCELLED`.
 */
export async function benchmark(options: BenchmarkOptions): Promise<{
  readonly kdfs: readonly KdfResult[];
  readonly ciphers: readonly CipherResult[];
}> {
  const kdfs: KdfResult[] = [];
  const ciphers: CipherResult[] = [];
  for (const kdf of options.kdfs ?? KDFS) {
    const result = await measureKdf(kdf, options);
    kdfs.push(result);
    options.onResult?.(result);
  }
  for (const cipher of options.ciphers ?? CIPHERS) {
    const result = await measureCipher(cipher, options);
    ciphers.push(result);
    options.onResult?.(result);
  }
  return { kdfs, ciphers };
}

async function measureKdf(
  kdf: BenchmarkedKdf,
  { environment, signal, keySize = 32 }: BenchmarkOptions,
): Promise<KdfResult> {
  const timeMs = kdf.timeMs ?? (kdf.type === "pbkdf2" ? PBKDF2_TIME_MS : ARGON2_TIME_MS);
  const common = { ...kdf, kind: "kdf", timeMs, keySize } as const;
  const context = { environment, version: 2, hash: "sha256", keySize, signal } as const;
  try {
    return { ...common, cost: await chooseCost({ ...kdf, timeMs }, context) };
  } catch (error) {
    if (isUnknown(error)) return { ...common, cost: null };
    throw error;
  }
}

async function measureCipher(cipher: BenchmarkedCipher, options: BenchmarkOptions): Promise<CipherResult> {
  try {
    const [encrypted, decrypted] = await cipherSpeeds(cipher, options);
    return { ...cipher, kind: "cipher", encrypted, decrypted };
  } catch (error) {
    if (isUnknown(error)) return { ...cipher, kind: "cipher", encrypted: null, decrypted: null };
    throw error;
  }
}

/** Bytes in a second, encrypted and decrypted. */
async function cipherSpeeds(
  { cipher, keySize }: BenchmarkedCipher,
  { environment, signal, cipherTimeMs = CIPHER_TIME_MS }: BenchmarkOptions,
): Promise<[encrypted: number, decrypted: number]> {
  const { buffers, clock, later } = environment;
  const spec = parseCipher(/-.*-/.test(cipher) ? cipher : `${cipher}-plain64`, keySize);
  const key = new Uint8Array(keySize);
  environment.random(key);
  const sectorCipher = createSectorCipher(spec, key, buffers, UNITS);
  const target = buffers.acquire(BUFFER_LENGTH);
  try {
    sectorCipher.open();
    const { bytes } = target;
    const source = new Uint8Array(BUFFER_LENGTH);
    const rate = async (step: () => void): Promise<number> => {
      // The first time is the slowest.
      step();
      let length = 0;
      const begin = clock.now();
      for (;;) {
        step();
        length += BUFFER_LENGTH;
        const timeMs = clock.now() - begin;
        if (timeMs >= cipherTimeMs) return (length * 1000) / timeMs;
        throwIfCancelled(signal);
        await new Promise<void>((resolve) => {
          later(resolve);
        });
      }
    };
    const encrypted = await rate(() => sectorCipher.encrypt(0, source, 0, BUFFER_LENGTH, target));
    return [encrypted, await rate(() => sectorCipher.decrypt(0, bytes, 0, BUFFER_LENGTH))];
  } finally {
    buffers.release(target);
    sectorCipher.close();
  }
}

/** True for what this machine does not have. */
function isUnknown(error: unknown): boolean {
  return isCevError(error) && (error.code === "CEV_UNKNOWN_FEATURE" || error.code === "CEV_NOT_SUPPORTED");
}

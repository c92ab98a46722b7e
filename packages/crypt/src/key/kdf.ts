import crypto from "node:crypto";
import { CevError } from "@cev/core";
import type { AbortSignalLike } from "@cev/core";
import { argon2InWorker } from "./argon2-thread.ts";
import type { Argon2Request } from "./argon2-thread.ts";
import { opensslHash } from "./hash.ts";
import type { KeyDerivation } from "../header/luks-volume.ts";

/** How much work a header may ask for before it is refused: it is not to be trusted before it is unlocked. */
export interface KdfLimits {
  /** Bytes of memory that argon2 may take. */
  readonly memoryMax: number;
  /** Bytes that argon2 may go through in all: its memory times its passes. */
  readonly workMax: number;
  /** Iterations of pbkdf2. */
  readonly iterationsMax: number;
}

/** What `cryptsetup` makes by itself stays far below: 1 GiB, about a minute of argon2, and a minute of pbkdf2. */
export const KDF_LIMITS: KdfLimits = {
  memoryMax: 2 ** 30,
  workMax: 2 ** 36,
  iterationsMax: 100_000_000,
};

/** In a few words, for people: "argon2id, 4 passes over 1,024 KiB in 2 lanes". No salt. */
export function describeKdf(kdf: KeyDerivation): string {
  if (kdf.type === "pbkdf2") return `pbkdf2 ${kdf.hash}, ${kdf.iterations} iterations`;
  return `${kdf.type}, ${kdf.passes} passes over ${kdf.memoryKibibytes} KiB in ${kdf.lanes} lanes`;
}

/** Throws `CEV_NOT_SUPPORTED`, naming the option that allows it, for a derivation that would cost more than the limits. */
export function checkKdfCost(kdf: KeyDerivation, limits: KdfLimits): void {
  if (kdf.type === "pbkdf2") {
    if (kdf.iterations > limits.iterationsMax)
      throw tooCostly(kdf, `more than ${limits.iterationsMax} iterations`, "kdfIterationsMax");
    return;
  }
  const memory = kdf.memoryKibibytes * 1024;
  if (memory > limits.memoryMax)
    throw tooCostly(kdf, `more than ${limits.memoryMax} bytes of memory`, "kdfMemoryMax");
  if (memory * kdf.passes > limits.workMax)
    throw tooCostly(kdf, `more than ${limits.workMax} bytes in all passes`, "kdfWorkMax");
}

/**
 * Derives a key of `length` bytes, off the event loop's thread. The caller checks the cost first, and wipes the result.
 * Throws `CEV_UNKNOWN_FEATURE` for a hash that is not to be had, `CEV_CANCELLED` when `signal` says so.
 */
export async function deriveKey(
  passphrase: Uint8Array,
  kdf: KeyDerivation,
  length: number,
  signal?: AbortSignalLike,
): Promise<Uint8Array> {
  if (signal?.aborted === true) throw new CevError("CEV_CANCELLED", "deriving the key was cancelled");
  if (kdf.type === "pbkdf2") return pbkdf2(passphrase, kdf, length);
  const request: Argon2Request = {
    type: kdf.type,
    passphrase,
    salt: kdf.salt,
    passes: kdf.passes,
    // The algorithm itself asks for at least eight blocks of 1 KiB in each lane.
    memoryKibibytes: Math.max(kdf.memoryKibibytes, 8 * kdf.lanes),
    lanes: kdf.lanes,
    length,
  };
  return nativeArgon2 === undefined ? argon2InWorker(request) : argon2Natively(nativeArgon2, request);
}

function pbkdf2(
  passphrase: Uint8Array,
  kdf: { readonly hash: string; readonly iterations: number; readonly salt: Uint8Array },
  length: number,
): Promise<Uint8Array> {
  const hash = opensslHash(kdf.hash);
  return new Promise((resolve, reject) => {
    crypto.pbkdf2(passphrase, kdf.salt, kdf.iterations, length, hash, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

interface NativeArgon2Parameters {
  readonly message: Uint8Array;
  readonly nonce: Uint8Array;
  readonly parallelism: number;
  readonly tagLength: number;
  readonly memory: number;
  readonly passes: number;
}

type NativeArgon2 = (
  algorithm: "argon2i" | "argon2id",
  parameters: NativeArgon2Parameters,
  done: (error: Error | null, key: Uint8Array) => void,
) => void;

/** Node's own, from 24.7 on. */
const nativeArgon2 = (crypto as { readonly argon2?: NativeArgon2 }).argon2;

function argon2Natively(argon2: NativeArgon2, request: Argon2Request): Promise<Uint8Array> {
  const parameters = {
    message: request.passphrase,
    nonce: request.salt,
    parallelism: request.lanes,
    tagLength: request.length,
    memory: request.memoryKibibytes,
    passes: request.passes,
  };
  return new Promise((resolve, reject) => {
    argon2(request.type, parameters, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

function tooCostly(kdf: KeyDerivation, bound: string, option: string): CevError {
  return new CevError("CEV_NOT_SUPPORTED", `deriving the key (${describeKdf(kdf)}) would take ${bound}`, {
    hint: `if this header is yours, allow it with the option ${option}`,
  });
}

import { CevError, ProgramError, isCevError } from "@cev/core";
import type { AbortSignalLike } from "@cev/core";
import { argon2InWorker } from "./argon2-thread.ts";
import { CannotStart, deriveInProcess } from "./derive-in-process.ts";
import type { DerivingProgram } from "./derive-in-process.ts";
import { isWhirlpool, opensslHash } from "./hash.ts";
import { deriveNatively, hasNativeArgon2 } from "./native-kdf.ts";
import type { Derivation } from "./native-kdf.ts";
import { wipe } from "./secret.ts";
import { runInThread } from "./thread.ts";
import type { KeyCost } from "./cost.ts";
import type { KeyDerivation } from "../header/luks-volume.ts";

// Node's own limit; a header may say twice as much.
const ITERATIONS_MAX = 2 ** 31 - 1;

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

/** What raises a limit, as whoever is told of it can say it: on a command line, and in a stack file. */
export const LIMIT_WORDS = {
  memory: "--kdf-memory-max, which is kdfMemoryMax in a stack file",
  work: "--kdf-work-max, which is kdfWorkMax in a stack file",
  iterations: "--kdf-iterations-max, which is kdfIterationsMax in a stack file",
} as const;

/** In a few words, for people: "argon2id, 4 passes over 1,024 KiB in 2 lanes". No salt. */
export function describeKdf(kdf: KeyDerivation): string {
  if (kdf.type === "pbkdf2") return `pbkdf2 ${kdf.hash}, ${kdf.iterations} iterations`;
  return `${kdf.type}, ${kdf.passes} passes over ${kdf.memoryKibibytes} KiB in ${kdf.lanes} lanes`;
}

/** Throws `CEV_NOT_SUPPORTED`, naming the option that allows it, for a derivation that would cost more than the limits. */
export function checkKdfCost(kdf: KeyDerivation, limits: KdfLimits): void {
  if (kdf.type === "pbkdf2") {
    if (kdf.iterations > limits.iterationsMax)
      throw tooCostly(kdf, `more than ${limits.iterationsMax} iterations`, "iterations");
    return;
  }
  const memory = kdf.memoryKibibytes * 1024;
  if (memory > limits.memoryMax)
    throw tooCostly(kdf, `more than ${limits.memoryMax} bytes of memory`, "memory");
  if (memory * kdf.passes > limits.workMax)
    throw tooCostly(kdf, `more than ${limits.workMax} bytes in all passes`, "work");
}

/**
 * What deriving costs, in shares of what the limits allow one derivation to take: 1 is all of it. Whoever tries many keyslots
 * adds up.
 */
export function costShare(kdf: KeyDerivation, limits: KdfLimits): number {
  if (kdf.type === "pbkdf2") return kdf.iterations / limits.iterationsMax;
  return (kdf.memoryKibibytes * 1024 * kdf.passes) / limits.workMax;
}

/**
 * Derives a key of `length` bytes, off the event loop's thread. The caller checks the cost first, and wipes the result. Throws
 * `CEV_UNKNOWN_FEATURE` for a hash that is not to be had, `CEV_NO_MEMORY` when argon2 does not get its memory, `CEV_CANCELLED` as
 * soon as `signal` fires; then nothing goes on in the background for longer than a moment.
 */
export async function deriveKey(
  passphrase: Uint8Array,
  kdf: KeyDerivation,
  length: number,
  signal?: AbortSignalLike,
): Promise<Uint8Array> {
  // In JavaScript nothing else says that an option has another name.
  if (!ArrayBuffer.isView(passphrase)) throw new ProgramError("a passphrase or key is a Uint8Array");
  if (signal?.aborted === true) throw cancelled();
  const derivation = derivationOf(kdf, length);
  if (!isNative(derivation)) return deriveInThread(derivation, passphrase, signal);
  try {
    if (signal === undefined) return await deriveNatively(derivation, passphrase);
    if (isCheap(derivation)) return await unlessAborted(deriveNatively(derivation, passphrase), signal);
    return await deriveStoppably(derivation, passphrase, signal);
  } catch (error) {
    if (isCevError(error)) throw error;
    // All numbers were checked before: what is left to go wrong is memory.
    const message = `deriving the key (${describeKdf(kdf)}) failed`;
    throw new CevError("CEV_NO_MEMORY", message, { hint: "is so much memory free?", cause: error });
  }
}

/**
 * Derives a key of nothing and throws it away: for its time. It runs where keys are derived without a signal, so that nothing but
 * the derivation is measured; when the signal fires it is given up at once, and goes on to its end.
 */
export async function measureDerivation(
  cost: KeyCost,
  length: number,
  signal?: AbortSignalLike,
): Promise<void> {
  if (signal?.aborted === true) throw cancelled();
  const derivation = derivationOf({ ...cost, salt: new Uint8Array(32) }, length);
  const passphrase = new Uint8Array(8);
  if (!isNative(derivation)) {
    await deriveInThread(derivation, passphrase, signal);
    return;
  }
  const work = deriveNatively(derivation, passphrase);
  await (signal === undefined ? work : unlessAborted(work, signal));
}

function derivationOf(kdf: KeyDerivation, length: number): Derivation {
  const { salt } = kdf;
  if (kdf.type === "pbkdf2") {
    if (kdf.iterations > ITERATIONS_MAX)
      throw new CevError("CEV_NOT_SUPPORTED", `${kdf.iterations} iterations are more than Node.js counts`);
    const hash = isWhirlpool(kdf.hash) ? kdf.hash : opensslHash(kdf.hash);
    return { type: "pbkdf2", hash, iterations: kdf.iterations, salt, length };
  }
  const { type, passes, lanes } = kdf;
  // The algorithm itself asks for at least eight blocks of 1 KiB in each lane.
  const memoryKibibytes = Math.max(kdf.memoryKibibytes, 8 * lanes);
  return { type, passes, memoryKibibytes, lanes, salt, length };
}

/** What this Node.js can do by itself. */
function isNative(derivation: Derivation): boolean {
  return derivation.type === "pbkdf2" ? !isWhirlpool(derivation.hash) : hasNativeArgon2;
}

function deriveInThread(
  derivation: Derivation,
  passphrase: Uint8Array,
  signal?: AbortSignalLike,
): Promise<Uint8Array> {
  if (derivation.type !== "pbkdf2") return argon2InWorker({ ...derivation, passphrase }, signal);
  return runInThread("whirlpool-worker", { ...derivation, passphrase }, signal);
}

/**
 * So fast that it need not be stopped: about half a second, of which a process's start would be a good part. Up to 1 GiB gone
 * through by argon2, or a million iterations of pbkdf2.
 */
function isCheap(derivation: Derivation): boolean {
  if (derivation.type === "pbkdf2") return derivation.iterations <= 1_000_000;
  return derivation.memoryKibibytes * derivation.passes <= 1_048_576;
}

/**
 * Derives a key in a process of its own, or where that cannot be had on the thread pool; there it is answered at once when the
 * signal fires, and the derivation goes on to its end.
 */
export async function deriveStoppably(
  derivation: Derivation,
  passphrase: Uint8Array,
  signal: AbortSignalLike,
  host?: DerivingProgram,
): Promise<Uint8Array> {
  try {
    return await deriveInProcess(derivation, passphrase, signal, host);
  } catch (error) {
    if (error instanceof CannotStart) return unlessAborted(deriveNatively(derivation, passphrase), signal);
    throw error;
  }
}

/** The key, or `CEV_CANCELLED` as soon as the signal fires; the key that comes afterwards is wiped. */
function unlessAborted(work: Promise<Uint8Array>, signal: AbortSignalLike): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      signal.removeEventListener("abort", abort);
      reject(cancelled());
    };
    signal.addEventListener("abort", abort);
    work
      .then((key) => {
        if (signal.aborted) wipe(key);
        else resolve(key);
      }, reject)
      .finally(() => signal.removeEventListener("abort", abort));
  });
}

function cancelled(): CevError {
  return new CevError("CEV_CANCELLED", "deriving the key was cancelled");
}

function tooCostly(kdf: KeyDerivation, bound: string, limit: keyof typeof LIMIT_WORDS): CevError {
  return new CevError("CEV_NOT_SUPPORTED", `deriving the key (${describeKdf(kdf)}) would take ${bound}`, {
    hint: `if this header is yours, allow it with ${LIMIT_WORDS[limit]}`,
  });
}

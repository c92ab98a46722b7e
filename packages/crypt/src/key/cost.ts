import { CevError } from "@cev/core";
import type { AbortSignalLike, Environment } from "@cev/core";
import { hashLength } from "./hash.ts";
import { measureDerivation } from "./kdf.ts";
import { memoryForKeys, thisMachine } from "./machine.ts";
import type { Machine } from "./machine.ts";
import { fitArgon2, fitPbkdf2 } from "./fit-cost.ts";

/** How a passphrase is to become a key, to the number; the salt is made along. */
export type KeyCost =
  | { readonly type: "pbkdf2"; readonly hash: string; readonly iterations: number }
  | {
      readonly type: "argon2i" | "argon2id";
      readonly passes: number;
      readonly memoryKibibytes: number;
      readonly lanes: number;
    };

/** How long a passphrase is to take to become a key on this machine: what that costs is measured. */
export interface CostTarget {
  /** Default argon2id; pbkdf2 for LUKS1, which has nothing else. */
  readonly type?: "pbkdf2" | "argon2i" | "argon2id";
  /** Of pbkdf2. Default: the hash of the header. */
  readonly hash?: string;
  /** Default 2000. */
  readonly timeMs?: number;
  /** Of argon2. Default 1 GiB, at most what `memoryForKeys` says of this machine. */
  readonly memoryKibibytesMax?: number;
  /** Of argon2, 1 to 4. Default 4, at most as many as there are processors. */
  readonly lanesMax?: number;
}

/** What a cost is chosen for. */
export interface CostContext {
  readonly environment: Environment;
  readonly version: 1 | 2;
  /** The hash of the header. */
  readonly hash: string;
  /** Bytes of the key to be derived. */
  readonly keySize: number;
  readonly signal?: AbortSignalLike | undefined;
  /** Is told after each measurement; how many there will be is not known. */
  readonly onMeasured?: (() => void) | undefined;
  readonly machine?: Machine;
}

// As cryptsetup's, for which they are never to be violated (NIST SP 800-132 for pbkdf2).
const ITERATIONS_MIN = 1000;
const ITERATIONS_MAX = 2 ** 31 - 1;
const PASSES_MIN = 4;
const PASSES_MAX = 2 ** 32 - 1;
const MEMORY_MIN_KIBIBYTES = 32;
const MEMORY_MAX_KIBIBYTES = 4 * 1024 * 1024;
const MEMORY_DEFAULT_KIBIBYTES = 1024 * 1024;
const LANES_MAX = 4;
const TIME_DEFAULT_MS = 2000;
const DIGEST_TIME_MS = 125;

/** True when every number is given, and nothing is to be measured. */
export function isForced(choice: KeyCost | CostTarget): choice is KeyCost {
  return "iterations" in choice || "passes" in choice;
}

/**
 * Throws `CEV_INVALID` for a cost that cannot be, or that would be so small that the key is not safe. Fast: for checks
 * beforehand.
 */
export function checkCostChoice(choice: KeyCost | CostTarget, version: 1 | 2): void {
  const type = choice.type ?? defaultType(version);
  if (version === 1 && type !== "pbkdf2") throw invalid(`LUKS1 has no ${type}, only pbkdf2`);
  if (isForced(choice)) {
    checkForced(choice);
    return;
  }
  const { timeMs, memoryKibibytesMax, lanesMax, hash } = choice;
  if (hash !== undefined) hashLength(hash);
  if (timeMs !== undefined) checkRange("the time in milliseconds", timeMs, 1, 2 ** 32 - 1);
  if (type === "pbkdf2" && (memoryKibibytesMax !== undefined || lanesMax !== undefined))
    throw invalid("pbkdf2 has neither memory nor lanes");
  if (memoryKibibytesMax !== undefined)
    checkRange("the memory in KiB", memoryKibibytesMax, MEMORY_MIN_KIBIBYTES, MEMORY_MAX_KIBIBYTES);
  if (lanesMax !== undefined) checkRange("the number of lanes", lanesMax, 1, LANES_MAX);
}

function checkForced(cost: KeyCost): void {
  if (cost.type === "pbkdf2") {
    hashLength(cost.hash);
    checkRange("the number of iterations", cost.iterations, ITERATIONS_MIN, ITERATIONS_MAX);
    return;
  }
  checkRange("the number of passes", cost.passes, PASSES_MIN, PASSES_MAX);
  checkRange("the memory in KiB", cost.memoryKibibytes, MEMORY_MIN_KIBIBYTES, MEMORY_MAX_KIBIBYTES);
  checkRange("the number of lanes", cost.lanes, 1, LANES_MAX);
}

/** The cost of a new key: as it was given, or measured on this machine as `cryptsetup` does. Throws as `checkCostChoice`. */
export async function chooseCost(choice: KeyCost | CostTarget, context: CostContext): Promise<KeyCost> {
  checkCostChoice(choice, context.version);
  if (isForced(choice)) return choice;
  const { signal, keySize, environment, onMeasured } = context;
  const type = choice.type ?? defaultType(context.version);
  const timeMs = choice.timeMs ?? TIME_DEFAULT_MS;
  const measure = async (cost: KeyCost): Promise<number> => {
    const begin = environment.clock.now();
    await measureDerivation(cost, keySize, signal);
    onMeasured?.();
    return environment.clock.now() - begin;
  };
  if (type === "pbkdf2") {
    const hash = choice.hash ?? context.hash;
    const perSecond = await fitPbkdf2((iterations) => measure({ type, hash, iterations }));
    const iterations = Math.floor((perSecond * timeMs) / 1000);
    return { type, hash, iterations: Math.min(Math.max(iterations, ITERATIONS_MIN), ITERATIONS_MAX) };
  }
  const machine = context.machine ?? thisMachine();
  const lanes = Math.min(choice.lanesMax ?? LANES_MAX, machine.processors);
  const wanted = choice.memoryKibibytesMax ?? MEMORY_DEFAULT_KIBIBYTES;
  const memoryMax = Math.min(wanted, Math.floor(memoryForKeys(machine) / 1024));
  const fit = await fitArgon2({ timeMs, memoryMax, lanes, passesMin: PASSES_MIN }, (passes, memory) =>
    measure({ type, passes, memoryKibibytes: memory, lanes }),
  );
  return { type, passes: fit.passes, memoryKibibytes: fit.memory, lanes };
}

/**
 * Iterations of the digest of a volume key: an eighth of a second, or as few as may be where costs are given. `chosen`: what the
 * choice came to, where that is known. The key is random through and through: guessing it is no easier for a cheap digest.
 */
export async function chooseDigestIterations(
  choice: KeyCost | CostTarget,
  chosen: KeyCost | null,
  context: CostContext,
): Promise<number> {
  if (isForced(choice)) return ITERATIONS_MIN;
  const { hash } = context;
  // What was measured for the keyslot need not be measured again.
  if (chosen?.type === "pbkdf2" && chosen.hash === hash) {
    const iterations = (chosen.iterations * DIGEST_TIME_MS) / (choice.timeMs ?? TIME_DEFAULT_MS);
    return Math.max(Math.floor(iterations), ITERATIONS_MIN);
  }
  const cost = await chooseCost({ type: "pbkdf2", hash, timeMs: DIGEST_TIME_MS }, context);
  return cost.type === "pbkdf2" ? cost.iterations : ITERATIONS_MIN;
}

function defaultType(version: 1 | 2): "pbkdf2" | "argon2id" {
  return version === 1 ? "pbkdf2" : "argon2id";
}

function checkRange(what: string, value: number, valueMin: number, valueMax: number): void {
  if (Number.isSafeInteger(value) && value >= valueMin && value <= valueMax) return;
  throw invalid(`${what} is ${value}, not a whole number from ${valueMin} to ${valueMax}`);
}

function invalid(message: string): CevError {
  return new CevError("CEV_INVALID", message);
}

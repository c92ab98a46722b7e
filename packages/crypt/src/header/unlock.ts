import { CevError, isCevError } from "@cev/core";
import type { AbortSignalLike } from "@cev/core";
import { parseCipher } from "../cipher/cipher-spec.ts";
import type { HeaderSource } from "../luks2/copies.ts";
import { LIMIT_WORDS, checkKdfCost, costShare } from "../key/kdf.ts";
import type { KdfLimits } from "../key/kdf.ts";
import { matchesDigest, splitLengthOf, unwrapKey } from "./keyslot.ts";
import type { KeyDerivation, KeyDigest, Keyslot, LuksVolume } from "./luks-volume.ts";
import { wipe } from "../key/secret.ts";

/** A key that opened, and which keyslot it was in. */
export interface Unlocked {
  /** The caller wipes it. */
  readonly volumeKey: Uint8Array;
  readonly keyslotId: number;
}

/** A key, proved by a digest. */
export interface ProvedKey extends Unlocked {
  readonly digestId: number;
}

/** How a volume is unlocked. */
export interface UnlockOptions {
  readonly limits: KdfLimits;
  /** Ends the derivation of a key with `CEV_CANCELLED`. */
  readonly signal?: AbortSignalLike | undefined;
  /** Only the keyslot of this number, also one to be ignored otherwise. */
  readonly keyslot?: number | undefined;
  /** Keys that open no data count as well. Default false. */
  readonly isUnboundAllowed?: boolean | undefined;
  /** Is told after each keyslot that was tried with one passphrase. */
  readonly onDerived?: ((done: number, total: number) => void) | undefined;
}

/**
 * All that is derived to unlock a device may cost so many times what one derivation may: else a header of 32 keyslots, each just
 * within the limits, would run for half an hour with one passphrase. What `cryptsetup` makes costs a sixteenth for each keyslot.
 */
const SHARES_MAX = 8;

/**
 * Tries each passphrase on each keyslot, preferred ones first; keyslots to be ignored, and keys that open nothing here, are left
 * out. Throws `CEV_KEY_REQUIRED` when there is no passphrase, `CEV_WRONG_KEY` when none fits, `CEV_INVALID` when there is no
 * keyslot of the number that was asked for.
 */
export async function unlockVolume(
  volume: LuksVolume,
  source: HeaderSource,
  passphrases: readonly Uint8Array[],
  options: UnlockOptions,
): Promise<ProvedKey> {
  const name = `luks/${volume.uuid}`;
  if (passphrases.length === 0) {
    throw new CevError("CEV_KEY_REQUIRED", `${name} is locked, and no passphrase or key was given`, {
      source: source.name,
      hint: "give a passphrase file or a key file",
    });
  }
  const slots = usableKeyslots(volume, options, source.name);
  const budget = new Budget(options.limits);
  let done = 0;
  const left: CevError[] = [];
  for (const { slot, digest } of slots) {
    let reason: CevError | null = null;
    let isTried = false;
    for (const passphrase of passphrases) {
      try {
        // A cipher that is not known is no fault of the keys.
        if (digest.segments.includes(0)) parseCipher(volume.segment.encryption, slot.keySize);
        budget.spend(slot.kdf, digest.kdf);
        const volumeKey = await tryKeyslot(slot, digest, source, passphrase, options.signal);
        options.onDerived?.(++done, slots.length * passphrases.length);
        if (volumeKey !== null) return { volumeKey, keyslotId: slot.id, digestId: digest.id };
        isTried = true;
      } catch (error) {
        // One keyslot that cannot be tried must not keep the others shut.
        if (!isCevError(error) || !CANNOT_BE_TRIED.has(error.code)) throw error;
        reason ??= error;
      }
    }
    if (!isTried && reason !== null) left.push(reason);
  }
  throw noneFits(volume, source, slots, left);
}

/** What to say when nothing has opened. `left`: why keyslots were not tried. */
function noneFits(
  { uuid, leftOut }: LuksVolume,
  source: HeaderSource,
  slots: readonly unknown[],
  left: readonly CevError[],
): CevError {
  const name = `luks/${uuid}`;
  const damaged = leftOut === undefined || leftOut === null ? "" : `; ${leftOut}`;
  if (slots.length === 0)
    return new CevError("CEV_WRONG_KEY", `${name} has no keyslot that opens it${damaged}`, {
      source: source.name,
    });
  const texts = left.map((error) => {
    const hint = error.place.hint === undefined ? "" : ` (${error.place.hint})`;
    return `${error.message}${hint}`;
  });
  const reasons = [...new Set(texts)];
  if (left.length === slots.length) {
    const message = `no keyslot of ${name} can be tried: ${reasons.join("; ")}`;
    return new CevError(left[0]!.code, message, { source: source.name });
  }
  const notTried =
    left.length === 0
      ? ""
      : `; ${left.length} of ${slots.length} keyslots were not tried: ${reasons.join("; ")}`;
  return new CevError("CEV_WRONG_KEY", `none of the keys given opens ${name}${notTried}${damaged}`, {
    source: source.name,
  });
}

const CANNOT_BE_TRIED: ReadonlySet<string> = new Set([
  "CEV_NOT_SUPPORTED",
  "CEV_UNKNOWN_FEATURE",
  "CEV_MEDIUM",
  "CEV_IO",
]);

/** What tells the volume key: the digest of the encrypted data. */
export function volumeDigest(volume: LuksVolume): KeyDigest {
  return volume.digests.find(({ segments }) => segments.includes(0))!;
}

interface Candidate {
  readonly slot: Keyslot;
  readonly digest: KeyDigest;
}

/** Keyslots that are to be tried, in their order, each with the digest of its key. */
function usableKeyslots(
  volume: LuksVolume,
  { keyslot: only, isUnboundAllowed = false }: UnlockOptions,
  source: string,
): Candidate[] {
  const candidates = volume.keyslots.flatMap((slot) => {
    const digest = volume.digests.find(({ keyslots }) => keyslots.includes(slot.id));
    const isUsable = digest !== undefined && (isUnboundAllowed || digest.segments.includes(0));
    return isUsable ? [{ slot, digest }] : [];
  });
  if (only === undefined) {
    const rank = ({ slot, digest }: Candidate): number =>
      (digest.segments.includes(0) ? 0 : 2) + (slot.priority === "prefer" ? 0 : 1);
    return candidates
      .filter(({ slot }) => slot.priority !== "ignore")
      .toSorted((left, right) => rank(left) - rank(right));
  }
  const candidate = candidates.find(({ slot }) => slot.id === only);
  if (candidate !== undefined) return [candidate];
  const ids = candidates.map(({ slot }) => slot.id);
  const message = volume.keyslots.some(({ id }) => id === only)
    ? `the key in keyslot ${only} opens no data`
    : `there is no keyslot ${only} that opens it`;
  throw new CevError("CEV_INVALID", message, {
    source,
    hint: ids.length === 0 ? "no keyslot does" : `there are ${ids.join(", ")}`,
  });
}

/** What may still be derived. */
class Budget {
  readonly #limits: KdfLimits;
  #shares = SHARES_MAX;

  constructor(limits: KdfLimits) {
    this.#limits = limits;
  }

  /** Throws `CEV_NOT_SUPPORTED` when one of them, or all so far together, cost more than the limits allow. */
  spend(...kdfs: readonly KeyDerivation[]): void {
    for (const kdf of kdfs) checkKdfCost(kdf, this.#limits);
    const shares = kdfs.reduce((sum, kdf) => sum + costShare(kdf, this.#limits), 0);
    if (shares > this.#shares) {
      throw new CevError("CEV_NOT_SUPPORTED", `all keyslots together would take too long`, {
        hint: `say which keyslot the key is in, or allow more with ${LIMIT_WORDS.work}, and ${LIMIT_WORDS.iterations}`,
      });
    }
    this.#shares -= shares;
  }
}

async function tryKeyslot(
  slot: Keyslot,
  digest: KeyDigest,
  source: HeaderSource,
  passphrase: Uint8Array,
  signal: AbortSignalLike | undefined,
): Promise<Uint8Array | null> {
  const area = await source.read(slot.area.offset, splitLengthOf(slot));
  const key = await unwrapKey(slot, passphrase, area, signal);
  let isRight = false;
  try {
    isRight = await matchesDigest(key, digest, signal);
  } finally {
    if (!isRight) wipe(key);
  }
  return isRight ? key : null;
}

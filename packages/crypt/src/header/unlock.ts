import { CevError, isCevError } from "@cev/core";
import type { AbortSignalLike } from "@cev/core";
import { parseCipher } from "../cipher/cipher-spec.ts";
import type { HeaderSource } from "../luks2/copies.ts";
import { checkKdfCost } from "../key/kdf.ts";
import type { KdfLimits } from "../key/kdf.ts";
import { matchesDigest, splitLengthOf, unwrapKey } from "./keyslot.ts";
import type { KeyDigest, Keyslot, LuksVolume } from "./luks-volume.ts";
import { wipe } from "../key/secret.ts";

/** A key that opened, and which keyslot it was in. */
export interface Unlocked {
  /** The caller wipes it. */
  readonly volumeKey: Uint8Array;
  readonly keyslotId: number;
}

/** How a volume is unlocked. */
export interface UnlockOptions {
  readonly limits: KdfLimits;
  /** Ends the derivation of a key with `CEV_CANCELLED`. */
  readonly signal?: AbortSignalLike | undefined;
  /** Only the keyslot of this number, also one to be ignored otherwise. */
  readonly keyslot?: number | undefined;
}

/**
 * Tries each passphrase on each keyslot, preferred ones first; keyslots to be ignored, and keys that open nothing here, are left
 * out. Throws `CEV_KEY_REQUIRED` when there is no passphrase, `CEV_WRONG_KEY` when none fits, `CEV_INVALID` when there is no keyslot
 * of the number that was asked for.
 */
export async function unlockVolume(
  volume: LuksVolume,
  source: HeaderSource,
  passphrases: readonly Uint8Array[],
  options: UnlockOptions,
): Promise<Unlocked> {
  const name = `luks/${volume.uuid}`;
  if (passphrases.length === 0) {
    throw new CevError("CEV_KEY_REQUIRED", `${name} is locked, and no passphrase or key was given`, {
      source: source.name,
      hint: "give a passphrase file or a key file",
    });
  }
  const digest = volumeDigest(volume);
  const slots = usableKeyslots(volume, digest, options.keyslot, source.name);
  // A cipher that is not known is no fault of the keys.
  for (const { keySize } of slots) parseCipher(volume.segment.encryption, keySize);
  const left: CevError[] = [];
  for (const slot of slots) {
    let reason: CevError | null = null;
    let isTried = false;
    for (const passphrase of passphrases) {
      try {
        const volumeKey = await tryKeyslot(slot, digest, source, passphrase, options);
        if (volumeKey !== null) return { volumeKey, keyslotId: slot.id };
        isTried = true;
      } catch (error) {
        // One keyslot that cannot be tried must not keep the others shut.
        if (!isCevError(error) || !CANNOT_BE_TRIED.has(error.code)) throw error;
        reason ??= error;
      }
    }
    if (!isTried && reason !== null) left.push(reason);
  }
  throw noneFits(name, source, slots, left);
}

/** What to say when nothing has opened. `left`: why keyslots were not tried. */
function noneFits(
  name: string,
  source: HeaderSource,
  slots: readonly Keyslot[],
  left: readonly CevError[],
): CevError {
  const reasons = left.map((error) => {
    const hint = error.place.hint === undefined ? "" : ` (${error.place.hint})`;
    return `${error.message}${hint}`;
  });
  if (slots.length > 0 && left.length === slots.length) {
    const message = `no keyslot of ${name} can be tried: ${reasons.join("; ")}`;
    return new CevError(left[0]!.code, message, { source: source.name });
  }
  const notTried =
    left.length === 0
      ? ""
      : `; ${left.length} of ${slots.length} keyslots were not tried: ${reasons.join("; ")}`;
  return new CevError("CEV_WRONG_KEY", `none of the keys given opens ${name}${notTried}`, {
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

function usableKeyslots(
  volume: LuksVolume,
  digest: KeyDigest,
  only: number | undefined,
  source: string,
): Keyslot[] {
  if (only !== undefined) {
    const slot = volume.keyslots.find(({ id }) => id === only && digest.keyslots.includes(id));
    if (slot !== undefined) return [slot];
    throw new CevError("CEV_INVALID", `there is no keyslot ${only} that opens it`, {
      source,
      hint: `there are ${digest.keyslots.join(", ")}`,
    });
  }
  const slots = volume.keyslots.filter(
    ({ id, priority }) => digest.keyslots.includes(id) && priority !== "ignore",
  );
  return [
    ...slots.filter(({ priority }) => priority === "prefer"),
    ...slots.filter(({ priority }) => priority !== "prefer"),
  ];
}

async function tryKeyslot(
  slot: Keyslot,
  digest: KeyDigest,
  source: HeaderSource,
  passphrase: Uint8Array,
  { limits, signal }: UnlockOptions,
): Promise<Uint8Array | null> {
  checkKdfCost(slot.kdf, limits);
  checkKdfCost(digest.kdf, limits);
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

import { keySizesOf, parseCipher } from "../cipher/cipher-spec.ts";
import type { KeyslotPlace } from "../header/editor.ts";
import { newKeyslot, wrapKey } from "../header/keyslot.ts";
import type { LuksVolume } from "../header/luks-volume.ts";
import { volumeDigest } from "../header/unlock.ts";
import type { NewKeyslot } from "../header/new-volume.ts";
import { checkCostChoice, chooseCost } from "../key/cost.ts";
import type { CostTarget, KeyCost } from "../key/cost.ts";
import { invalid } from "./command.ts";
import type { CommandOptions } from "./command.ts";
import { keyslotEncryptionFor } from "./keyslot-encryption.ts";

/** How a key is to be kept. */
export interface NewKeyOptions {
  /** The passphrase, or the contents of the key file, to be added. It stays the caller's. */
  readonly newKey: Uint8Array;
  /** How it becomes a key. Default: argon2id (LUKS1: pbkdf2), two seconds on this machine. */
  readonly cost?: KeyCost | CostTarget;
  /** How the keyslot is encrypted, and the bytes of its key. By default as the data; LUKS2 alone. */
  readonly keyslotEncryption?: string;
  readonly keyslotKeySize?: number;
}

/** A keyslot in the making, checked: what is left to do is to measure and to derive. */
export interface NewKeyPlan {
  readonly encryption: string;
  readonly encryptionKeySize: number;
  readonly cost: KeyCost | CostTarget;
  /** Of the splitter, and of pbkdf2 unless the cost says otherwise. */
  readonly hash: string;
}

/** Bytes of the volume key; null when no keyslot is left that tells. */
export function volumeKeySizeOf(volume: LuksVolume): number | null {
  const { keyslots } = volumeDigest(volume);
  return volume.keyslots.find(({ id }) => keyslots.includes(id))?.keySize ?? null;
}

/** Throws `CEV_INVALID` for what does not fit this header, `CEV_UNKNOWN_FEATURE` for a cipher that is not known here. */
export function planNewKey(volume: LuksVolume, options: NewKeyOptions, keySize: number): NewKeyPlan {
  const { version, segment } = volume;
  const { hash } = volumeDigest(volume).kdf;
  const cost = options.cost ?? {};
  checkCostChoice(cost, version);
  const isOwn = options.keyslotEncryption !== undefined || options.keyslotKeySize !== undefined;
  if (version === 1 && isOwn) throw invalid("LUKS1 encrypts its keyslots as the data");
  if (version === 1 && "hash" in cost && cost.hash !== undefined && cost.hash !== hash)
    throw invalid(`this LUKS1 header has one hash for all: ${hash}`);
  const encryption =
    options.keyslotEncryption ??
    (version === 1 ? segment.encryption : keyslotEncryptionFor(segment.encryption));
  // A key that opens no data has a length of its own, which the cipher of the data may not take.
  const known = volumeKeySizeOf(volume) ?? keySize;
  const sizes = keySizesOf(encryption);
  const encryptionKeySize = options.keyslotKeySize ?? (sizes.includes(known) ? known : sizes.at(-1)!);
  parseCipher(encryption, encryptionKeySize);
  return { encryption, encryptionKeySize, cost, hash };
}

/**
 * Wraps a key (the volume key, or one that opens nothing) under the new passphrase. Measures the cost first where it is not
 * given.
 */
export async function makeKeyslot(
  place: KeyslotPlace,
  wrapped: Uint8Array,
  plan: NewKeyPlan,
  version: 1 | 2,
  options: CommandOptions & NewKeyOptions,
): Promise<NewKeyslot> {
  const { environment, signal, onProgress } = options;
  let measured = 0;
  const onMeasured = (): void => onProgress?.({ step: "measure", done: ++measured, total: 0 });
  const { hash, encryption, encryptionKeySize } = plan;
  const context = { environment, version, hash, keySize: encryptionKeySize, signal, onMeasured };
  const cost = await chooseCost(plan.cost, context);
  const wish = { place, keySize: wrapped.length, cost, splitHash: hash, encryption, encryptionKeySize };
  const slot = newKeyslot(wish, environment);
  const area = await wrapKey(slot, options.newKey, wrapped, environment, signal);
  onProgress?.({ step: "derive", done: 1, total: 1 });
  return { slot, area };
}

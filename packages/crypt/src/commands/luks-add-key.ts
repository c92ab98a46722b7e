import type { Layer } from "@cev/core";
import { CevError } from "@cev/core";
import type { NewDigest } from "../header/editor.ts";
import type { HeaderDevice } from "../header/header-device.ts";
import { digestOf, matchesDigest } from "../header/keyslot.ts";
import type { LuksVolume } from "../header/luks-volume.ts";
import { unlockVolume, volumeDigest } from "../header/unlock.ts";
import { chooseDigestIterations } from "../key/cost.ts";
import { KDF_LIMITS, checkKdfCost } from "../key/kdf.ts";
import { wipe } from "../key/secret.ts";
import { invalid, throwIfCancelled, unlockOptionsOf } from "./command.ts";
import type { CommandOptions } from "./command.ts";
import { editHeader } from "./edit-header.ts";
import { makeKeyslot, planNewKey, volumeKeySizeOf } from "./new-key.ts";
import type { NewKeyOptions, NewKeyPlan } from "./new-key.ts";

/** Settings of `luksAddKey`. */
export interface LuksAddKeyOptions extends CommandOptions, NewKeyOptions {
  /** Keys of which one opens the device already. */
  readonly keys?: readonly Uint8Array[];
  /** The volume key itself, in place of `keys`. */
  readonly volumeKey?: Uint8Array;
  /** The keyslot that one of `keys` is in. By default all are tried. */
  readonly keyslot?: number;
  /** The number of the new keyslot. By default the first free one. */
  readonly newKeyslot?: number;
  /**
   * Keeps a key of its own, which opens no data, in place of the volume key: this one, or a random one. Nothing else is asked
   * for. LUKS2 alone.
   */
  readonly unbound?: { readonly keySize: number } | { readonly key: Uint8Array };
}

interface Wrapped {
  readonly key: Uint8Array;
  readonly digest: number | NewDigest;
}

/**
 * Gives a LUKS device one more key and returns the number of its keyslot. `lower` is open. Cut at any moment, the device still
 * opens with what opened it. A copy of the header that was damaged is whole again afterwards. Throws `CEV_WRONG_KEY`,
 * `CEV_KEY_REQUIRED`, `CEV_NO_SPACE`, `CEV_INVALID`, `CEV_BUSY`, `CEV_CANCELLED`, and what reading a header throws; then nothing
 * was written.
 */
export async function luksAddKey(lower: Layer, options: LuksAddKeyOptions): Promise<number> {
  return editHeader(lower, "luksAddKey", options, async (editor, device) => {
    const { volume } = editor;
    const keySize = wrappedSizeOf(volume, options);
    const plan = planNewKey(volume, options, keySize);
    const { newKeyslot: id } = options;
    const place = editor.placeKeyslot(id === undefined ? { keySize } : { keySize, id });
    const { key, digest } = await keyToWrap(volume, device, plan, options);
    try {
      const { slot, area } = await makeKeyslot(place, key, plan, volume.version, options);
      throwIfCancelled(options.signal);
      await editor.addKeyslot(slot, area, digest);
      return slot.id;
    } finally {
      wipe(key);
    }
  });
}

/** Bytes of the key to be wrapped. */
function wrappedSizeOf(volume: LuksVolume, { unbound, volumeKey }: LuksAddKeyOptions): number {
  if (unbound !== undefined) {
    if (volume.version === 1) throw invalid("LUKS1 keeps no keys that open nothing");
    const keySize = "key" in unbound ? unbound.key.length : unbound.keySize;
    if (Number.isSafeInteger(keySize) && keySize > 0 && keySize <= 512) return keySize;
    throw invalid(`a key of ${keySize} bytes cannot be kept: 1 to 512 are possible`);
  }
  const known = volumeKeySizeOf(volume) ?? volumeKey?.length;
  if (known === undefined) {
    const { leftOut } = volume;
    const state = leftOut === undefined || leftOut === null ? "is left" : `can be used (${leftOut})`;
    throw invalid(`no keyslot ${state}: the volume key itself is needed`);
  }
  if (volumeKey !== undefined && volumeKey.length !== known)
    throw invalid(`the volume key has ${known} bytes, not ${volumeKey.length}`);
  return known;
}

async function keyToWrap(
  volume: LuksVolume,
  device: HeaderDevice,
  plan: NewKeyPlan,
  options: LuksAddKeyOptions,
): Promise<Wrapped> {
  const { unbound, volumeKey, keyslot, keys = [], signal } = options;
  if (unbound !== undefined) return newUnboundKey(unbound, plan, options);
  if (volumeKey === undefined) {
    const found = await unlockVolume(volume, device, keys, { ...unlockOptionsOf(options), keyslot });
    return { key: found.volumeKey, digest: found.digestId };
  }
  const digest = volumeDigest(volume);
  checkKdfCost(digest.kdf, options.kdfLimits ?? KDF_LIMITS);
  if (await matchesDigest(volumeKey, digest, signal))
    return { key: Uint8Array.from(volumeKey), digest: digest.id };
  throw new CevError("CEV_WRONG_KEY", `this is not the volume key of luks/${volume.uuid}`, {
    source: device.name,
  });
}

async function newUnboundKey(
  unbound: NonNullable<LuksAddKeyOptions["unbound"]>,
  { cost, hash }: NewKeyPlan,
  { environment, signal }: LuksAddKeyOptions,
): Promise<Wrapped> {
  const key = "key" in unbound ? Uint8Array.from(unbound.key) : new Uint8Array(unbound.keySize);
  try {
    if (!("key" in unbound)) environment.random(key);
    const context = { environment, version: 2, hash, keySize: key.length, signal } as const;
    const iterations = await chooseDigestIterations(cost, null, context);
    return { key, digest: await digestOf(key, { version: 2, hash, iterations }, environment, signal) };
  } catch (error) {
    wipe(key);
    throw error;
  }
}

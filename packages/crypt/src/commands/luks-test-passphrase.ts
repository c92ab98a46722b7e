import type { Layer } from "@cev/core";
import { refuseForeign } from "../header/foreign-signature.ts";
import { headerSourceOf } from "../header/header-device.ts";
import { unlockVolume } from "../header/unlock.ts";
import { wipe } from "../key/secret.ts";
import { luks1VolumeOf, readLuks1Header } from "../luks1/volume.ts";
import { luks2VolumeOf, luksVersionAtStart, readLuks2Copies } from "../luks2/copies.ts";
import { unlockOptionsOf } from "./command.ts";
import type { CommandOptions } from "./command.ts";
import { noHeader } from "./edit-header.ts";
import { findHeader } from "./header-extent.ts";

/** Settings of `luksTestPassphrase` and `luksVolumeKey`. */
export interface LuksKeyOptions extends CommandOptions {
  /** Passphrases, or contents of key files. */
  readonly keys: readonly Uint8Array[];
  /** Only this keyslot. */
  readonly keyslot?: number;
  /** Keys that open no data count as well. Default false. */
  readonly allowUnbound?: boolean;
}

/** A key that was in a keyslot. */
export interface LuksVolumeKey {
  readonly keyslotId: number;
  /** The caller wipes it. */
  readonly volumeKey: Uint8Array;
}

/**
 * The number of the keyslot that one of the keys opens. Writes nothing. Throws `CEV_WRONG_KEY` when none does, and what reading a
 * header throws.
 */
export async function luksTestPassphrase(lower: Layer, options: LuksKeyOptions): Promise<number> {
  const { keyslotId, volumeKey } = await luksVolumeKey(lower, options);
  wipe(volumeKey);
  return keyslotId;
}

/**
 * The volume key itself (`cryptsetup luksDump --dump-volume-key`): whoever has it reads the data whatever becomes of the
 * passphrases. Throws as `luksTestPassphrase`.
 */
export async function luksVolumeKey(lower: Layer, options: LuksKeyOptions): Promise<LuksVolumeKey> {
  const source = headerSourceOf(lower, options.environment, options.name);
  // Where the data lies takes no part here: the header may be a detached one.
  const found = await findHeader(source);
  if (found === null) throw noHeader(source.name);
  const volume = found.version === 1 ? luks1VolumeOf(found.header) : luks2VolumeOf(found.copies);
  const { keys, keyslot, allowUnbound: isUnboundAllowed } = options;
  const unlock = { ...unlockOptionsOf(options), keyslot, isUnboundAllowed };
  const { volumeKey, keyslotId } = await unlockVolume(volume, source, keys, unlock);
  return { volumeKey, keyslotId };
}

/**
 * True when the device carries a LUKS header that can be used, of this version if one is named. Throws `CEV_BAD_METADATA` where there is one
 * that cannot, and `CEV_AMBIGUOUS` where there may only be what is left of one.
 */
export async function isLuks(
  lower: Layer,
  options: CommandOptions & { readonly version?: 1 | 2 },
): Promise<boolean> {
  const source = headerSourceOf(lower, options.environment, options.name);
  const isFirst = (await luksVersionAtStart(source)) === 1;
  if (isFirst) {
    if (options.version === 2) return false;
    await readLuks1Header(source);
    return true;
  }
  if (options.version === 1) return false;
  const copies = await readLuks2Copies(source);
  if (copies === null) return false;
  await refuseForeign(source, copies);
  return true;
}

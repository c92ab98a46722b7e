import type { Layer } from "@cev/core";
import type { Keyslot } from "../header/luks-volume.ts";
import type { NewKeyslot } from "../header/new-volume.ts";
import { unlockVolume } from "../header/unlock.ts";
import { wipe } from "../key/secret.ts";
import type { Luks1Editor } from "../luks1/editor.ts";
import { Luks2Editor } from "../luks2/editor.ts";
import { throwIfCancelled, unlockOptionsOf } from "./command.ts";
import type { CommandOptions } from "./command.ts";
import { editHeader } from "./edit-header.ts";
import { makeKeyslot, planNewKey } from "./new-key.ts";
import type { NewKeyOptions } from "./new-key.ts";

/** Settings of `luksChangeKey`. */
export interface LuksChangeKeyOptions extends CommandOptions, NewKeyOptions {
  /** The passphrase, or the contents of the key file, to be changed. */
  readonly key: Uint8Array;
  /** The keyslot it is in. By default all are tried. */
  readonly keyslot?: number;
}

/** Settings of `luksConvertKey`. */
export type LuksConvertKeyOptions = Omit<LuksChangeKeyOptions, "newKey">;

/**
 * Puts another passphrase in the place of one, and returns the number of its keyslot. LUKS2 keeps the number; so does LUKS1 when
 * it was given, else the key moves to a free keyslot, as with `cryptsetup`. Cut at any moment, the old or the new passphrase
 * opens: so there must be room for both, and `CEV_NO_SPACE` is thrown when there is none. Throws as `luksAddKey`.
 */
export async function luksChangeKey(lower: Layer, options: LuksChangeKeyOptions): Promise<number> {
  return changeKey(lower, "luksChangeKey", options);
}

/**
 * Gives the keyslot of a passphrase another cost or cipher, and returns its number. As `luksChangeKey`, with the same passphrase.
 */
export async function luksConvertKey(lower: Layer, options: LuksConvertKeyOptions): Promise<number> {
  return changeKey(lower, "luksConvertKey", { ...options, newKey: options.key });
}

async function changeKey(lower: Layer, command: string, options: LuksChangeKeyOptions): Promise<number> {
  return editHeader(lower, command, options, async (editor, device) => {
    const { volume } = editor;
    const { key, keyslot } = options;
    // What does not depend on the keyslot is refused before anything is derived.
    planNewKey(volume, options, volume.keyslots[0]?.keySize ?? 0);
    const unlock = { ...unlockOptionsOf(options), keyslot, isUnboundAllowed: true };
    const found = await unlockVolume(volume, device, [key], unlock);
    const wrapped = found.volumeKey;
    try {
      const old = volume.keyslots.find(({ id }) => id === found.keyslotId)!;
      const plan = planNewKey(volume, options, wrapped.length);
      const place =
        editor instanceof Luks2Editor
          ? { id: old.id, area: editor.placeArea(wrapped.length) }
          : editor.placeKeyslot({ keySize: wrapped.length });
      const made = await makeKeyslot(place, wrapped, plan, volume.version, options);
      throwIfCancelled(options.signal);
      if (editor instanceof Luks2Editor) {
        const slot = { ...made.slot, priority: old.priority };
        await editor.replaceKeyslot(old.id, slot, made.area, found.digestId);
        return slot.id;
      }
      await editor.replaceKeyslot(old.id, made.slot, made.area, found.digestId);
      return keyslot === undefined ? made.slot.id : await moveBack(editor, made, old);
    } finally {
      wipe(wrapped);
    }
  });
}

/**
 * From the free keyslot of LUKS1 where it had to go first to the number that was asked for. Nothing in an area depends on where
 * it lies.
 */
async function moveBack(editor: Luks1Editor, { slot, area }: NewKeyslot, old: Keyslot): Promise<number> {
  const place = editor.placeKeyslot({ keySize: slot.keySize, id: old.id });
  const moved = { ...slot, id: old.id, area: { ...slot.area, ...place.area } };
  await editor.replaceKeyslot(slot.id, moved, area, 0);
  return old.id;
}

import type { Layer } from "@cev/core";
import type { LuksVolume } from "../header/luks-volume.ts";
import { unlockVolume, volumeDigest } from "../header/unlock.ts";
import { wipe } from "../key/secret.ts";
import { invalid, throwIfCancelled, unlockOptionsOf } from "./command.ts";
import type { CommandOptions } from "./command.ts";
import { editHeader } from "./edit-header.ts";

/** Settings of `luksRemoveKey`. */
export interface LuksRemoveKeyOptions extends CommandOptions {
  /** The passphrase, or the contents of the key file, to be removed. */
  readonly key: Uint8Array;
  /** Also when it is the last one: nothing opens the data then. Default false. */
  readonly allowLast?: boolean;
}

/** Settings of `luksKillSlot`. */
export interface LuksKillSlotOptions extends CommandOptions {
  readonly keyslot: number;
  /** Of which one must open another keyslot, as proof that one remains. Left out, nothing is proved. */
  readonly keys?: readonly Uint8Array[];
  /** Also when it is the last one: nothing opens the data then. Default false. */
  readonly allowLast?: boolean;
}

/**
 * Takes a passphrase out of a LUKS device, and returns the number of the keyslot it was in. The keyslot's area is overwritten.
 * Throws `CEV_WRONG_KEY` when no keyslot has it, `CEV_INVALID` for the last keyslot, and what reading a header throws.
 */
export async function luksRemoveKey(lower: Layer, options: LuksRemoveKeyOptions): Promise<number> {
  return editHeader(lower, "luksRemoveKey", options, async (editor, device) => {
    const { volume } = editor;
    const { volumeKey, keyslotId } = await unlockVolume(
      volume,
      device,
      [options.key],
      unlockOptionsOf(options),
    );
    wipe(volumeKey);
    refuseLast(volume, keyslotId, options.allowLast);
    throwIfCancelled(options.signal);
    await editor.removeKeyslots([keyslotId]);
    return keyslotId;
  });
}

/** Takes a keyslot out of a LUKS device by its number. Its area is overwritten. Throws as `luksRemoveKey`. */
export async function luksKillSlot(lower: Layer, options: LuksKillSlotOptions): Promise<void> {
  return editHeader(lower, "luksKillSlot", options, async (editor, device) => {
    const { keyslot, keys } = options;
    const { volume } = editor;
    if (!volume.keyslots.some(({ id }) => id === keyslot)) throw invalid(`there is no keyslot ${keyslot}`);
    refuseLast(volume, keyslot, options.allowLast);
    if (keys !== undefined) {
      // Of the last one its own key is the only proof there can be.
      const others = isLast(volume, keyslot) ? volume : without(volume, keyslot);
      const { volumeKey } = await unlockVolume(others, device, keys, unlockOptionsOf(options));
      wipe(volumeKey);
    }
    throwIfCancelled(options.signal);
    await editor.removeKeyslots([keyslot]);
  });
}

/**
 * Takes all keys of the data out of a LUKS device: from then on nothing opens it, but a backup of the header. Returns the numbers
 * of the keyslots. Keys that open no data stay.
 */
export async function luksErase(lower: Layer, options: CommandOptions): Promise<readonly number[]> {
  return editHeader(lower, "luksErase", options, async (editor) => {
    // Those too that cannot be used here: others may know how.
    const ids = [...new Set(volumeDigest(editor.volume).keyslots)];
    throwIfCancelled(options.signal);
    if (ids.length > 0) await editor.removeKeyslots(ids);
    return ids;
  });
}

function isLast(volume: LuksVolume, keyslot: number): boolean {
  const bound = volumeDigest(volume).keyslots;
  return bound.includes(keyslot) && volume.keyslots.every(({ id }) => id === keyslot || !bound.includes(id));
}

function refuseLast(volume: LuksVolume, keyslot: number, isAllowed = false): void {
  if (isAllowed || !isLast(volume, keyslot)) return;
  throw invalid(
    `keyslot ${keyslot} is the last one: nothing would open the data any more`,
    "add another key first, or say that it is meant (allowLast)",
  );
}

function without(volume: LuksVolume, keyslot: number): LuksVolume {
  return { ...volume, keyslots: volume.keyslots.filter(({ id }) => id !== keyslot) };
}

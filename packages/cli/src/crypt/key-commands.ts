import {
  isLuks,
  luksAddKey,
  luksChangeKey,
  luksConvertKey,
  luksDump,
  luksErase,
  luksKillSlot,
  luksRemoveKey,
  luksTestPassphrase,
  luksVolumeKey,
} from "@cev/crypt";
import type { CostTarget, KeyCost } from "@cev/crypt";
import { CevError, isCevError } from "@cev/core";
import type { Layer } from "@cev/core";
import { ExitStatus } from "../exit-status.ts";
import { UsageError } from "../usage-error.ts";
import { confirm } from "./confirm.ts";
import { costOf } from "./cost.ts";
import type { KeyOptions, NewKeyOptions } from "./crypt-options.ts";
import { withoutUndefined } from "./without-undefined.ts";
import { parseCipherName, parseKeyBits, parseWhole } from "./parse.ts";
import { readExisting, readNew, readVolumeKey } from "./read-keys.ts";
import { onHeader } from "./session.ts";
import type { Common, Session } from "./session.ts";

export interface AddKeyOptions extends NewKeyOptions {
  readonly keySlot?: string;
  readonly newKeySlot?: string;
  readonly unbound?: boolean;
  readonly keySize?: string;
  readonly volumeKeyFile?: string;
  readonly masterKeyFile?: string;
}

export interface ChangeKeyOptions extends NewKeyOptions {
  readonly keySlot?: string;
}

const KEYSLOT = { min: 0, max: 31 };
const LAST_KEYSLOT = "This is the last keyslot. The device can never be opened again without it.";

/** `cev crypt luksAddKey`. */
export async function addKey(
  word: string,
  newKeyWord: string | undefined,
  options: AddKeyOptions,
): Promise<ExitStatus> {
  const newSlotText = options.newKeySlot ?? options.keySlot;
  const newKeyslot = parseWhole(newSlotText, "--key-slot", KEYSLOT);
  const keyslot =
    options.newKeySlot === undefined ? undefined : parseWhole(options.keySlot, "--key-slot", KEYSLOT);
  const keySize = parseKeyBits(options.keySize, "--key-size");
  if (options.unbound === true && keySize === undefined && options.volumeKeyFile === undefined)
    throw new UsageError("--unbound needs --key-size for a random key, or a --volume-key-file");
  await onHeader(word, options, false, async (lower, session, common) => {
    const given = await readVolumeKey(options, keySize);
    let volumeKey = given;
    try {
      if (options.unbound !== true) volumeKey ??= await unlock(lower, session, common, options, { keyslot });
      const newKey = await readNew(session.keys, options, "Enter new passphrase for key slot: ", newKeyWord);
      const id = await luksAddKey(lower, {
        ...common,
        ...(await newKeySettings(lower, common, options)),
        ...withoutUndefined({ newKeyslot }),
        newKey,
        ...(options.unbound === true
          ? {
              unbound: {
                keySize: keySize ?? volumeKey!.length,
                ...withoutUndefined({ key: given ?? undefined }),
              },
            }
          : { volumeKey: volumeKey! }),
      });
      session.answer(`Key slot ${id} created.`, { command: "luksAddKey", device: word, keyslot: id });
    } finally {
      given?.fill(0);
      volumeKey?.fill(0);
    }
  });
  return ExitStatus.done;
}

/** The volume key, by a passphrase that is asked for before the new one is. */
async function unlock(
  lower: Layer,
  { keys }: Session,
  common: Common,
  options: AddKeyOptions,
  { keyslot }: { readonly keyslot: number | undefined },
): Promise<Uint8Array> {
  const key = await readExisting(keys, options, "Enter any existing passphrase: ");
  const { volumeKey } = await luksVolumeKey(lower, {
    ...common,
    keys: [key],
    ...withoutUndefined({ keyslot }),
  });
  return volumeKey;
}

/** `cev crypt luksChangeKey`. */
export async function changeKey(
  word: string,
  newKeyWord: string | undefined,
  options: ChangeKeyOptions,
): Promise<ExitStatus> {
  const keyslot = parseWhole(options.keySlot, "--key-slot", KEYSLOT);
  await onHeader(word, options, false, async (lower, session, common) => {
    const { keys } = session;
    const key = await readExisting(keys, options, "Enter passphrase to be changed: ");
    // Whoever sits there should not think up a new passphrase in vain.
    if (keys.isInteractive)
      await luksTestPassphrase(lower, {
        ...common,
        ...withoutUndefined({ keyslot }),
        keys: [key],
        allowUnbound: true,
      });
    const newKey = await readNew(keys, options, "Enter new passphrase: ", newKeyWord);
    const id = await luksChangeKey(lower, {
      ...common,
      ...(await newKeySettings(lower, common, options)),
      ...withoutUndefined({ keyslot }),
      key,
      newKey,
    });
    session.answer(`Key slot ${id} created.`, { command: "luksChangeKey", device: word, keyslot: id });
  });
  return ExitStatus.done;
}

/** `cev crypt luksConvertKey`. */
export async function convertKey(word: string, options: ChangeKeyOptions): Promise<ExitStatus> {
  const keyslot = parseWhole(options.keySlot, "--key-slot", KEYSLOT);
  await onHeader(word, options, false, async (lower, session, common) => {
    const { keys } = session;
    const key = await readExisting(keys, options, "Enter passphrase for keyslot to be converted: ");
    const id = await luksConvertKey(lower, {
      ...common,
      ...(await newKeySettings(lower, common, options)),
      ...withoutUndefined({ keyslot }),
      key,
    });
    session.answer(`Key slot ${id} created.`, { command: "luksConvertKey", device: word, keyslot: id });
  });
  return ExitStatus.done;
}

async function newKeySettings(
  lower: Layer,
  common: Common,
  options: NewKeyOptions,
): Promise<{
  readonly cost?: KeyCost | CostTarget;
  readonly keyslotEncryption?: string;
  readonly keyslotKeySize?: number;
}> {
  const hash = await luks1HashOf(lower, common);
  return withoutUndefined({
    cost: costOf(hash === null ? options : { hash, ...options }, hash === null ? 2 : 1),
    keyslotEncryption: parseCipherName(options.keyslotCipher),
    keyslotKeySize: parseKeyBits(options.keyslotKeySize, "--keyslot-key-size"),
  });
}

/** The one hash of a LUKS1 header. Null: it is of version 2, where each keyslot has its own. */
async function luks1HashOf(lower: Layer, common: Common): Promise<string | null> {
  if (!(await isLuks(lower, { ...common, version: 1 }))) return null;
  const dump = await luksDump(lower, common);
  return dump.version === 1 ? dump.hash : null;
}

/** `cev crypt luksRemoveKey`. */
export async function removeKey(
  word: string,
  keyWord: string | undefined,
  options: KeyOptions,
): Promise<ExitStatus> {
  await onHeader(word, options, false, async (lower, session, common) => {
    const { keys } = session;
    const key = await readExisting(keys, options, "Enter passphrase to be deleted: ", keyWord);
    if ((await keyslotsOf(lower, common)).length === 1) {
      await luksTestPassphrase(lower, { ...common, keys: [key] });
      await confirm(keys, LAST_KEYSLOT, options);
    }
    const id = await luksRemoveKey(lower, { ...common, key, allowLast: true });
    session.answer(`Key slot ${id} removed.`, { command: "luksRemoveKey", device: word, keyslot: id });
  });
  return ExitStatus.done;
}

/** `cev crypt luksKillSlot`. */
export async function killSlot(word: string, slotText: string, options: KeyOptions): Promise<ExitStatus> {
  // What stands there by mistake may be a passphrase, and is not repeated.
  if (!/^\d+$/.test(slotText)) throw new UsageError("the number of a keyslot is expected behind the device");
  const keyslot = parseWhole(slotText, "the keyslot", KEYSLOT)!;
  await onHeader(word, options, false, async (lower, session, common) => {
    const isLast = (await keyslotsOf(lower, common)).every((id) => id === keyslot);
    if (isLast) await confirm(session.keys, LAST_KEYSLOT, options);
    const key = await remainingKey(session, options);
    await luksKillSlot(lower, {
      ...common,
      keyslot,
      allowLast: true,
      ...(key === null ? {} : { keys: [key] }),
    });
    session.answer(`Key slot ${keyslot} removed.`, { command: "luksKillSlot", device: word, keyslot });
  });
  return ExitStatus.done;
}

/** A passphrase that remains. Null: none is given, and in batch mode none is asked for. */
async function remainingKey({ keys }: Session, options: KeyOptions): Promise<Uint8Array | null> {
  const { batchMode, keyFile, passphraseFile } = options;
  const isOptional = batchMode === true && keyFile === undefined && passphraseFile === undefined;
  if (isOptional && keys.isInteractive) return null;
  try {
    return await readExisting(keys, options, "Enter any remaining passphrase: ");
  } catch (error) {
    // Standard input has nothing to say.
    if (isOptional && isCevError(error) && error.code === "CEV_KEY_REQUIRED") return null;
    throw error;
  }
}

/** Numbers of the keyslots that open the data. */
async function keyslotsOf(lower: Layer, common: Common): Promise<readonly number[]> {
  const dump = await luksDump(lower, common);
  if (dump.version === 1) return dump.keyslots.filter(({ isEnabled }) => isEnabled).map(({ id }) => id);
  return dump.keyslots
    .filter(({ type, digestId, isUnbound }) => type === "luks2" && digestId !== null && !isUnbound)
    .map(({ id }) => id);
}

/** `cev crypt erase`. */
export async function erase(word: string, options: KeyOptions): Promise<ExitStatus> {
  await onHeader(word, options, false, async (lower, session, common) => {
    const { keys } = session;
    if (!(await isLuks(lower, common)))
      throw new CevError("CEV_NOT_FOUND", "there is no LUKS header", { source: word });
    await confirm(
      keys,
      `This erases all keyslots of ${word}. The device can never be opened again without a backup of its header.`,
      options,
    );
    const ids = await luksErase(lower, common);
    session.answer(ids.length === 0 ? "There was no keyslot." : `Key slots ${ids.join(", ")} removed.`, {
      command: "erase",
      device: word,
      keyslots: ids,
    });
  });
  return ExitStatus.done;
}

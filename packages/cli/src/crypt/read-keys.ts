import { CevError } from "@cev/core";
import type { KeyReader } from "../keys/key-reader.ts";
import { readKey } from "../keys/key-file.ts";
import type { KeyRange } from "../keys/key-file.ts";
import { UsageError } from "../usage-error.ts";
import type { KeyOptions, NewKeyOptions } from "./crypt-options.ts";
import { parseBytes } from "./parse.ts";
import { refuseAsSecret } from "./target.ts";

/** A passphrase or key that opens the device, or that is removed from it. `word`: a key file that stands behind the device. */
export function readExisting(
  keys: KeyReader,
  options: KeyOptions,
  prompt: string,
  word?: string,
): Promise<Uint8Array> {
  const { keyFile = word, passphraseFile } = options;
  if (options.keyFile === undefined) refuseAsSecret(word);
  else refuseTwice(word, "--key-file");
  refuseBoth(keyFile, passphraseFile, "--key-file", "--passphrase-file");
  const range = rangeOf(keyFile, {
    "--keyfile-offset": options.keyfileOffset,
    "--keyfile-size": options.keyfileSize,
  });
  return keys.read({
    prompt,
    isNew: options.verifyPassphrase === true,
    keyFile,
    passphraseFile,
    range,
  });
}

/** A passphrase or key that is set. `word`: a key file that stands behind the device. */
export function readNew(
  keys: KeyReader,
  options: NewKeyOptions,
  prompt: string,
  word: string | undefined,
): Promise<Uint8Array> {
  const { newKeyfile = word, newPassphraseFile } = options;
  if (options.newKeyfile === undefined) refuseAsSecret(word);
  else refuseTwice(word, "--new-keyfile");
  refuseBoth(newKeyfile, newPassphraseFile, "--new-keyfile", "--new-passphrase-file");
  const range = rangeOf(newKeyfile, {
    "--new-keyfile-offset": options.newKeyfileOffset,
    "--new-keyfile-size": options.newKeyfileSize,
  });
  return keys.read({
    prompt,
    isNew: isVerified(options),
    keyFile: newKeyfile,
    passphraseFile: newPassphraseFile,
    range,
  });
}

/** A volume key from a file; cryptsetup has had two names for the option. The caller wipes it. */
export async function readVolumeKey(
  options: { readonly volumeKeyFile?: string; readonly masterKeyFile?: string },
  keySize?: number,
): Promise<Uint8Array | null> {
  const path = options.volumeKeyFile ?? options.masterKeyFile;
  if (path === undefined) return null;
  if (keySize !== undefined) return readKey(path, { size: keySize });
  return readKey(path, {});
}

/** Whether somebody at a terminal types a passphrase twice that is set: as with cryptsetup not in batch mode, unless that is asked for. */
export const isVerified = ({ batchMode, verifyPassphrase }: KeyOptions): boolean =>
  batchMode !== true || verifyPassphrase === true;

/** Which bytes of a key file are meant: given as the two options, first that of its beginning. */
function rangeOf(keyFile: string | undefined, given: Readonly<Record<string, string | undefined>>): KeyRange {
  const [offset, size] = Object.entries(given).map(([option, text]) => {
    const bytes = parseBytes(text, option);
    if (bytes !== undefined && keyFile === undefined)
      throw new UsageError(`${option} takes a part of a key file, and none is named`);
    return bytes;
  });
  // As with cryptsetup, 0 is all.
  return { offset, size: size === 0 ? undefined : size };
}

/** The word is not repeated: it may be a passphrase. */
function refuseTwice(word: string | undefined, option: string): void {
  if (word !== undefined)
    throw new UsageError(`the key file is named twice, by ${option} and behind the device: name it once`);
}

function refuseBoth(
  one: string | undefined,
  other: string | undefined,
  oneName: string,
  otherName: string,
): void {
  if (one !== undefined && other !== undefined)
    throw new UsageError(`give either a key file (${oneName}) or ${otherName}`);
}

/** Tries again where a person may have mistyped. A file is as wrong the second time. */
export async function withTries<Result>(
  keys: KeyReader,
  {
    tries,
    keyFile,
    passphraseFile,
  }: { readonly tries: number } & Pick<KeyOptions, "keyFile" | "passphraseFile">,
  attempt: () => Promise<Result>,
  onWrong: () => void,
): Promise<Result> {
  const isTyped = [keyFile, passphraseFile].every((path) => path === undefined || path === "-");
  for (let left = isTyped && keys.isInteractive ? tries : 1; ; left--) {
    try {
      return await attempt();
    } catch (error) {
      if (left <= 1 || !(error instanceof CevError) || error.code !== "CEV_WRONG_KEY") throw error;
      onWrong();
    }
  }
}

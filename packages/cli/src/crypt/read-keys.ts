import { CevError } from "@cev/core";
import type { KeyReader } from "../keys/key-reader.ts";
import { readKey } from "../keys/key-file.ts";
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
  refuseBoth(keyFile, passphraseFile, "--key-file", "--passphrase-file");
  return keys.read({
    prompt,
    isNew: options.verifyPassphrase === true,
    keyFile,
    passphraseFile,
    range: {
      offset: parseBytes(options.keyfileOffset, "--keyfile-offset"),
      size: parseBytes(options.keyfileSize, "--keyfile-size"),
    },
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
  refuseBoth(newKeyfile, newPassphraseFile, "--new-keyfile", "--new-passphrase-file");
  return keys.read({
    prompt,
    isNew: true,
    keyFile: newKeyfile,
    passphraseFile: newPassphraseFile,
    range: {
      offset: parseBytes(options.newKeyfileOffset, "--new-keyfile-offset"),
      size: parseBytes(options.newKeyfileSize, "--new-keyfile-size"),
    },
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

function refuseBoth(
  one: string | undefined,
  other: string | undefined,
  oneName: string,
  otherName: string,
): void {
  if (one !== undefined && other !== undefined)
    throw new UsageError(`give either a key file (${oneName}) or ${otherName}`);
}

/** Tries again where a person may have mistyped. */
export async function withTries<Result>(
  keys: KeyReader,
  tries: number,
  attempt: () => Promise<Result>,
  onWrong: () => void,
): Promise<Result> {
  for (let left = keys.isInteractive ? tries : 1; ; left--) {
    try {
      return await attempt();
    } catch (error) {
      if (left <= 1 || !(error instanceof CevError) || error.code !== "CEV_WRONG_KEY") throw error;
      onWrong();
    }
  }
}

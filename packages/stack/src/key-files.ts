import { open } from "node:fs/promises";
import { resolve } from "node:path";
import { CevError } from "@cev/core";
import type { DeviceEntry } from "./description.ts";
import { fileError } from "./file-error.ts";

/** The longest key file that is taken: a disk named by mistake is not read whole. */
const KEY_FILE_LENGTH_MAX = 64 << 20;
const NEWLINE = 0x0a;

/** All bytes of a key file. */
export async function readKeyFile(path: string): Promise<Uint8Array> {
  const file = await open(path, "r").catch((error: unknown) => {
    throw fileError(path, error);
  });
  try {
    const { size } = await file.stat();
    if (size > KEY_FILE_LENGTH_MAX) {
      throw new CevError("CEV_INVALID", `it has ${size} bytes, too many for a key file`, { source: path });
    }
    return await file.readFile();
  } catch (error) {
    throw fileError(path, error);
  } finally {
    await file.close();
  }
}

/** A passphrase from a file: its bytes without the last newline, which editors add. */
export async function readPassphraseFile(path: string): Promise<Uint8Array> {
  const bytes = await readKeyFile(path);
  return bytes.at(-1) === NEWLINE ? bytes.subarray(0, -1) : bytes;
}

/** The keys that an entry of a description names: `passphrase: { file }`, then `keyFile`. */
export async function readKeysOf(entry: DeviceEntry, directory: string): Promise<Uint8Array[]> {
  const { passphrase, keyFile } = entry;
  const keys: Uint8Array[] = [];
  if (isFileReference(passphrase)) {
    keys.push(await readPassphraseFile(resolve(directory, passphrase.file)));
  }
  if (typeof keyFile === "string") keys.push(await readKeyFile(resolve(directory, keyFile)));
  return keys;
}

function isFileReference(value: unknown): value is { readonly file: string } {
  return typeof value === "object" && value !== null && "file" in value && typeof value.file === "string";
}

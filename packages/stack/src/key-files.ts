import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { resolve } from "node:path";
import { CevError } from "@cev/core";
import type { DeviceEntry } from "./description.ts";
import { fileError } from "./file-error.ts";

/** The longest key file that is taken, as by cryptsetup: a disk or a device without end named by mistake is not read whole. */
const KEY_FILE_LENGTH_MAX = 8 << 20;
const PIECE_LENGTH = 64 << 10;
const NEWLINE = 0x0a;

/** All bytes of a key file. */
export async function readKeyFile(path: string): Promise<Uint8Array> {
  const file = await open(path, "r").catch((error: unknown) => {
    throw fileError(path, error);
  });
  try {
    return await readAll(file, path);
  } catch (error) {
    throw fileError(path, error);
  } finally {
    await file.close();
  }
}

async function readAll(file: FileHandle, path: string): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { bytesRead, buffer } = await file.read(new Uint8Array(PIECE_LENGTH), 0, PIECE_LENGTH, null);
    if (bytesRead === 0) return Buffer.concat(pieces);
    pieces.push(buffer.subarray(0, bytesRead));
    length += bytesRead;
    if (length > KEY_FILE_LENGTH_MAX) {
      throw new CevError("CEV_INVALID", "it has more than 8 MiB, too many for a key file", { source: path });
    }
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

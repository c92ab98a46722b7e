import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { resolve } from "node:path";
import { CevError } from "@cev/core";
import type { EntryKeys } from "./assembly.ts";
import type { DeviceEntry } from "./description.ts";
import { fileError } from "./file-error.ts";

/** The longest key file that is taken, as by cryptsetup: a disk or a device without end named by mistake is not read whole. */
const KEY_FILE_LENGTH_MAX = 8 << 20;
const PIECE_LENGTH = 64 << 10;
const NEWLINE = 0x0a;

/** Which bytes of a key file are the key. */
export interface KeyFileRange {
  /** Bytes that are passed over. Default 0. */
  readonly offset?: number | undefined;
  /** Exactly so many; by default all that follow. */
  readonly size?: number | undefined;
}

/** The bytes of a key file. Throws `CEV_INVALID` where it has fewer than were asked for. The caller wipes them. */
export async function readKeyFile(path: string, range: KeyFileRange = {}): Promise<Uint8Array> {
  const file = await open(path, "r").catch((error: unknown) => {
    throw fileError(path, error);
  });
  try {
    return await readRange(file, path, range);
  } catch (error) {
    throw fileError(path, error);
  } finally {
    await file.close();
  }
}

async function readRange(
  file: FileHandle,
  path: string,
  { offset = 0, size }: KeyFileRange,
): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  // Of what has no end of its own one byte more is read: then it is too long.
  const lengthMax = size ?? KEY_FILE_LENGTH_MAX + 1;
  let length = 0;
  try {
    let position = await passOver(file, offset);
    while (length < lengthMax) {
      const piece = new Uint8Array(Math.min(PIECE_LENGTH, lengthMax - length));
      pieces.push(piece);
      const { bytesRead } = await file.read(piece, 0, piece.length, position);
      if (bytesRead === 0) break;
      pieces[pieces.length - 1] = piece.subarray(0, bytesRead);
      length += bytesRead;
      if (position !== null) position += bytesRead;
    }
    if (length > KEY_FILE_LENGTH_MAX && size === undefined)
      throw new CevError("CEV_INVALID", "it has more than 8 MiB, too many for a key file", { source: path });
    if (size !== undefined && length < size)
      throw new CevError("CEV_INVALID", `it ends ${size - length} bytes before the end of the key`, {
        source: path,
      });
    return joined(pieces, length);
  } finally {
    for (const piece of pieces) new Uint8Array(piece.buffer).fill(0);
  }
}

/** Where to read from after `offset` bytes; null: where the file stands. */
async function passOver(file: FileHandle, offset: number): Promise<number | null> {
  if (offset === 0) return null;
  const status = await file.stat();
  if (status.isFile() || status.isBlockDevice()) return offset;
  // Of a FIFO or a terminal nothing can be passed over but by reading it.
  const passed = new Uint8Array(PIECE_LENGTH);
  try {
    for (let left = offset; left > 0;) {
      const { bytesRead } = await file.read(passed, 0, Math.min(PIECE_LENGTH, left), null);
      if (bytesRead === 0) break;
      left -= bytesRead;
    }
  } finally {
    passed.fill(0);
  }
  return null;
}

/** In memory of its own: `Buffer.concat` would leave copies in memory that others share. */
function joined(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    const part = piece.subarray(0, length - at);
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** A passphrase from a file: its bytes without the last newline, which editors add. */
export async function readPassphraseFile(path: string): Promise<Uint8Array> {
  const bytes = await readKeyFile(path);
  return bytes.at(-1) === NEWLINE ? bytes.subarray(0, -1) : bytes;
}

/** The keys that an entry of a description names: `passphrase: { file }`, then `keyFile` with `keyFileOffset` and `keyFileSize`. */
export async function readKeysOf(entry: DeviceEntry, directory: string): Promise<EntryKeys> {
  const { passphrase, keyFile } = entry;
  const keys: Uint8Array[] = [];
  const keyFiles: Uint8Array[] = [];
  if (isFileReference(passphrase)) keys.push(await readPassphraseFile(resolve(directory, passphrase.file)));
  if (typeof keyFile === "string") {
    const range = { offset: numberOf(entry["keyFileOffset"]), size: numberOf(entry["keyFileSize"]) };
    keyFiles.push(
      await readKeyFile(resolve(directory, keyFile), range).catch((error: unknown) => {
        for (const key of keys) key.fill(0);
        throw error;
      }),
    );
  }
  return { keys: [...keys, ...keyFiles], keyFiles };
}

const numberOf = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);

function isFileReference(value: unknown): value is { readonly file: string } {
  return typeof value === "object" && value !== null && "file" in value && typeof value.file === "string";
}

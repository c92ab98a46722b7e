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
  const end = size === undefined ? Infinity : offset + size;
  let at = 0;
  try {
    while (at < end) {
      const { bytesRead, buffer } = await file.read(new Uint8Array(PIECE_LENGTH), 0, PIECE_LENGTH, null);
      if (bytesRead === 0) break;
      // A key file may be a FIFO or a descriptor, of which nothing can be passed over but by reading it.
      const piece = buffer.subarray(
        Math.min(bytesRead, Math.max(0, offset - at)),
        Math.min(bytesRead, end - at),
      );
      pieces.push(piece);
      at += bytesRead;
      if (at - offset > KEY_FILE_LENGTH_MAX && size === undefined)
        throw new CevError("CEV_INVALID", "it has more than 8 MiB, too many for a key file", {
          source: path,
        });
    }
    const key = joined(pieces);
    if (key.length < (size ?? 0))
      throw new CevError(
        "CEV_INVALID",
        `it ends ${(size ?? 0) - key.length} bytes before the end of the key`,
        {
          source: path,
        },
      );
    return key;
  } finally {
    for (const piece of pieces) new Uint8Array(piece.buffer).fill(0);
  }
}

/** In memory of its own: `Buffer.concat` would leave copies in memory that others share. */
function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
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
    keyFiles.push(await readKeyFile(resolve(directory, keyFile), range));
  }
  return { keys: [...keys, ...keyFiles], keyFiles };
}

const numberOf = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);

function isFileReference(value: unknown): value is { readonly file: string } {
  return typeof value === "object" && value !== null && "file" in value && typeof value.file === "string";
}

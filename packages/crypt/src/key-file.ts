import { open } from "node:fs/promises";
import { resolve } from "node:path";
import { CevError } from "@cev/core";
import { wipe } from "./secret.ts";

/** The longest key file that is taken. */
export const KEY_FILE_LENGTH_MAX: number = 8 * 1024 * 1024;

const CODES = { ENOENT: "CEV_NOT_FOUND", EACCES: "CEV_ACCESS", EPERM: "CEV_ACCESS" } as const;
const NEWLINE = 0x0a;

/** All bytes of a key file; the caller wipes them. `path` starts at `directory` unless it is absolute. */
export async function readKeyFile(path: string, directory: string): Promise<Uint8Array> {
  try {
    const file = await open(resolve(directory, path), "r");
    try {
      const { size } = await file.stat();
      if (size > KEY_FILE_LENGTH_MAX) {
        throw new CevError("CEV_INVALID", `the key file is longer than ${KEY_FILE_LENGTH_MAX} bytes`, {
          source: path,
        });
      }
      return await file.readFile();
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof CevError) throw error;
    const code = (error as { readonly code?: keyof typeof CODES }).code;
    const reason = error instanceof Error ? error.message : String(error);
    throw new CevError((code && CODES[code]) ?? "CEV_IO", `the key file cannot be read: ${reason}`, {
      source: path,
    });
  }
}

/** A passphrase file's bytes without its last newline; the caller wipes them. */
export async function readPassphraseFile(path: string, directory: string): Promise<Uint8Array> {
  const bytes = await readKeyFile(path, directory);
  if (bytes.at(-1) !== NEWLINE) return bytes;
  const passphrase = bytes.slice(0, -1);
  wipe(bytes);
  return passphrase;
}

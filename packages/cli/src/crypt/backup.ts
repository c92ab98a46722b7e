import { open, unlink } from "node:fs/promises";
import { CevError } from "@cev/core";
import { luksHeaderBackup } from "@cev/crypt";
import { ExitStatus } from "../exit-status.ts";
import { hostError } from "../host-error.ts";
import type { KeyOptions } from "./crypt-options.ts";
import { onHeader } from "./session.ts";

/** The owner may read it, and nobody write it, as with cryptsetup. */
const BACKUP_MODE = 0o400;

export interface BackupOptions extends KeyOptions {
  readonly headerBackupFile: string;
}

/** `cev crypt luksHeaderBackup`. */
export async function headerBackup(word: string, options: BackupOptions): Promise<ExitStatus> {
  const path = options.headerBackupFile;
  await onHeader(word, options, true, async (lower, session, common) => {
    const length = await saveBackup(path, luksHeaderBackup(lower, common));
    session.answer(`The header of ${word} is saved in ${path} (${length} bytes).`, {
      command: "luksHeaderBackup",
      device: word,
      file: path,
      length,
    });
  });
  return ExitStatus.done;
}

/** Writes a file that was not there, durably; where that fails nothing is left. */
async function saveBackup(path: string, chunks: AsyncIterable<Uint8Array>): Promise<number> {
  const file = await open(path, "wx", BACKUP_MODE).catch((error: unknown) => {
    const isThere = error instanceof Error && "code" in error && error.code === "EEXIST";
    if (!isThere) throw hostError(path, error);
    throw new CevError("CEV_BUSY", "there is such a file already, and it may be the only backup", {
      source: path,
      hint: "name another file",
    });
  });
  let length = 0;
  try {
    for await (const chunk of chunks) {
      await file.writeFile(chunk).catch((error: unknown) => {
        throw hostError(path, error);
      });
      length += chunk.length;
    }
    await file.sync();
    return length;
  } catch (error) {
    await unlink(path).catch(() => undefined);
    throw error;
  } finally {
    await file.close();
  }
}

import { constants } from "node:fs";
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { openError } from "./file-errors.ts";

interface Opening {
  readonly isReadOnly: boolean;
  readonly isBlockDevice: boolean;
  /** Bytes of a file that is made; null: it is there. */
  readonly newSize: number | null;
}

/** Opens a file, or makes it. Throws what the system said, in words. */
export async function openFile(path: string, opening: Opening): Promise<FileHandle> {
  const { newSize, isReadOnly } = opening;
  try {
    return await (newSize === null ? openExisting(path, opening) : createFile(path, newSize));
  } catch (error) {
    throw openError(error, path, isReadOnly);
  }
}

function openExisting(path: string, { isReadOnly, isBlockDevice }: Opening): Promise<FileHandle> {
  // A block device opened so is refused while it is mounted or otherwise in the kernel's use.
  const exclusive = isBlockDevice ? constants.O_EXCL : 0;
  return open(path, isReadOnly ? constants.O_RDONLY : constants.O_RDWR | exclusive);
}

/** Makes a file, and makes sure that it is still there after a power cut. Whoever was faster keeps theirs. */
async function createFile(path: string, size: number): Promise<FileHandle> {
  const handle = await open(path, constants.O_RDWR | constants.O_CREAT);
  try {
    const found = await handle.stat();
    if (found.size > 0) return handle;
    await handle.truncate(size);
    await handle.sync();
    const folder = await open(dirname(path), constants.O_RDONLY);
    await folder.sync().finally(() => folder.close());
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

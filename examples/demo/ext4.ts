import { createRequire } from "node:module";
import type { Device } from "@cev/core";

/** What ext2fs wants of a disk: it brings its own buffers, and places in bytes. */
interface Disk {
  read(buffer: Uint8Array, bufferOffset: number, length: number, offset: number): Promise<object>;
  write(buffer: Uint8Array, bufferOffset: number, length: number, offset: number): Promise<object>;
  discard(offset: number, length: number): Promise<void>;
  flush(): Promise<void>;
}

/** The part of node's `fs.promises` that is used here. */
interface FileSystem {
  readonly promises: {
    readdir(path: string): Promise<string[]>;
    open(path: string, flags: number): Promise<{ readonly fd: number }>;
    read(
      fd: number,
      data: Uint8Array,
      start: number,
      length: number,
      offset: number,
    ): Promise<{ bytesRead: number }>;
    close(fd: number): Promise<void>;
    stat(path: string): Promise<{ isDirectory(): boolean; readonly size: number }>;
  };
}

interface Ext2fs {
  readonly withMountedDisk: <T>(
    disk: Disk,
    offset: number,
    use: (fileSystem: FileSystem) => Promise<T>,
  ) => Promise<T>;
}

/** One file or folder. */
export interface Ext4Entry {
  readonly path: string;
  readonly isFolder: boolean;
  readonly data: Uint8Array;
}

const require = createRequire(import.meta.url);
// As in Linux: for reading, without a note of when that was.
const READ_ONLY = 0;
const NO_ACCESS_TIME = 0o1000000;

/** Lists and reads everything in an ext4 file system with the npm package ext2fs, which knows nothing of cev. */
export async function readExt4(device: Device): Promise<Ext4Entry[]> {
  const { withMountedDisk } = require("ext2fs") as Ext2fs;
  const disk: Disk = {
    async read(buffer, bufferOffset, length, offset) {
      await device.readInto(offset, buffer.subarray(bufferOffset, bufferOffset + length));
      return { bytesRead: length, buffer };
    },
    async write(buffer, bufferOffset, length, offset) {
      await device.write(offset, buffer.slice(bufferOffset, bufferOffset + length));
      return { bytesWritten: length, buffer };
    },
    discard: (offset, length) => device.discard(offset, length),
    flush: () => device.flush(),
  };
  return withMountedDisk(disk, 0, async ({ promises: files }) => {
    const entries: Ext4Entry[] = [];
    const walk = async (folder: string): Promise<void> => {
      for (const name of (await files.readdir(folder)).toSorted()) {
        const path = `${folder === "/" ? "" : folder}/${name}`;
        const facts = await files.stat(path);
        const isFolder = facts.isDirectory();
        entries.push({
          path,
          isFolder,
          data: isFolder ? new Uint8Array() : await readFile(files, path, facts.size),
        });
        if (isFolder) await walk(path);
      }
    };
    await walk("/");
    return entries;
  });
}

/** `readFile` of the package gives text only. */
async function readFile(files: FileSystem["promises"], path: string, size: number): Promise<Uint8Array> {
  const data = new Uint8Array(size);
  const { fd } = await files.open(path, READ_ONLY | NO_ACCESS_TIME);
  try {
    for (let at = 0; at < size;) {
      const { bytesRead } = await files.read(fd, data, at, size - at, at);
      if (bytesRead === 0) throw new Error(`${path} ended at byte ${at} of ${size}`);
      at += bytesRead;
    }
  } finally {
    await files.close(fd);
  }
  return data;
}

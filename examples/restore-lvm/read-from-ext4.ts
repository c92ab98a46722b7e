import { createRequire } from "node:module";
import type { Device } from "@cev/core";

/** What ext2fs wants of a disk: it brings its own buffers, and places in bytes. */
interface Disk {
  read(buffer: Uint8Array, bufferOffset: number, length: number, offset: number): Promise<void>;
  write(): Promise<never>;
  discard(): Promise<never>;
  flush(): Promise<void>;
}

interface Files {
  open(path: string, flags: number): Promise<{ readonly fd: number }>;
  stat(path: string): Promise<{ readonly size: number }>;
  read(
    fd: number,
    data: Uint8Array,
    start: number,
    length: number,
    offset: number,
  ): Promise<{ bytesRead: number }>;
  close(fd: number): Promise<void>;
}

interface Ext2fs {
  readonly withMountedDisk: <T>(
    disk: Disk,
    offset: number,
    use: (fileSystem: { readonly promises: Files }) => Promise<T>,
  ) => Promise<T>;
}

const require = createRequire(import.meta.url);
// As in Linux: for reading, without a note of when that was, so that the file system is not written.
const READ_ONLY = 0;
const NO_ACCESS_TIME = 0o1000000;

/** Reads one file of an ext4 file system on a device that may be read-only. */
export function readFromExt4(device: Device, path: string): Promise<Uint8Array> {
  const { withMountedDisk } = require("ext2fs") as Ext2fs;
  const refuse = (): Promise<never> => Promise.reject(new Error("the backup is not written"));
  const disk: Disk = {
    read: (buffer, bufferOffset, length, offset) =>
      device.readInto(offset, buffer.subarray(bufferOffset, bufferOffset + length)),
    write: refuse,
    discard: refuse,
    flush: () => Promise.resolve(),
  };
  return withMountedDisk(disk, 0, async ({ promises: files }) => {
    const { size } = await files.stat(path);
    const data = new Uint8Array(size);
    const { fd } = await files.open(path, READ_ONLY | NO_ACCESS_TIME);
    for (let at = 0; at < size;) {
      const { bytesRead } = await files.read(fd, data, at, size - at, at);
      if (bytesRead === 0) throw new Error(`${path} ended at byte ${at} of ${size}`);
      at += bytesRead;
    }
    await files.close(fd);
    return data;
  });
}

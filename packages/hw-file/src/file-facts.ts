import { constants } from "node:fs";
import { open, readFile, realpath, stat, statfs } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { openError, refusedFile } from "./file-errors.ts";

/** What is known of a file before it is opened. */
export interface FileFacts {
  readonly isBlockDevice: boolean;
  /** It lies in a file system that is memory (tmpfs, ramfs): no call on it waits for a device. */
  readonly isInMemory: boolean;
  /** Its file system is known to tell of holes what is true at that moment, also of data that it has not written out yet. */
  readonly canTellHoles: boolean;
  /** Of the file, as the system gives it. Bytes. */
  readonly size: number;
  readonly logicalBlockSize: number;
  readonly physicalBlockSize: number;
  /** Equal for all paths that lead to one file or device. */
  readonly identity: string;
}

const SECTOR_SIZE = 512;
const PHYSICAL_DEFAULT = 4096;
// Of statfs(2), on Linux: tmpfs, ramfs.
const MEMORY_FILE_SYSTEMS = [0x0102_1994, 0x8584_58f6];
// tmpfs, ext4, XFS, btrfs, F2FS. Not those of other machines or programs (NFS, SMB, FUSE), whose answers may be old or made up,
// and not ZFS, some versions of which overlook what was just written.
const EXACT_FILE_SYSTEMS = [0x0102_1994, 0xef53, 0x5846_5342, 0x9123_683e, 0xf2f5_2010];

/** Looks at a file. Null: there is none. Throws `CEV_ACCESS`, or `CEV_INVALID` for what holds no blocks (a folder). */
export async function inspectFile(path: string): Promise<FileFacts | null> {
  try {
    const found = await stat(path, { bigint: true });
    if (found.isBlockDevice()) return await inspectBlockDevice(path, found.rdev);
    if (!found.isFile())
      throw refusedFile("CEV_INVALID", path, "is neither a regular file nor a block device");
    const fileSystem = await fileSystemOf(path);
    return {
      isBlockDevice: false,
      isInMemory: fileSystem !== null && MEMORY_FILE_SYSTEMS.includes(fileSystem),
      canTellHoles: fileSystem !== null && EXACT_FILE_SYSTEMS.includes(fileSystem),
      size: Number(found.size),
      logicalBlockSize: SECTOR_SIZE,
      physicalBlockSize: physicalOf(Number(found.blksize), SECTOR_SIZE),
      identity: `file ${found.dev}:${found.ino}`,
    };
  } catch (error) {
    if (isErrno(error, "ENOENT")) return null;
    throw error instanceof Error && "place" in error ? error : openError(error, path, true);
  }
}

/** The type of the file system, as statfs(2) of Linux has it; null elsewhere. */
async function fileSystemOf(path: string): Promise<number | null> {
  if (process.platform !== "linux") return null;
  try {
    return (await statfs(path)).type;
  } catch {
    return null;
  }
}

async function inspectBlockDevice(path: string, rdev: bigint): Promise<FileFacts> {
  const folder = await sysfsFolder(rdev);
  const queue = folder === null ? null : await queueFolder(folder);
  const logicalBlockSize = (await numberIn(queue, "logical_block_size")) ?? SECTOR_SIZE;
  const physical = (await numberIn(queue, "physical_block_size")) ?? PHYSICAL_DEFAULT;
  // sysfs counts in sectors of 512 bytes, whatever the device's own block size.
  const sectors = await numberIn(folder, "size");
  return {
    isBlockDevice: true,
    isInMemory: false,
    canTellHoles: false,
    size: sectors === null ? await sizeByReading(path, logicalBlockSize) : sectors * SECTOR_SIZE,
    logicalBlockSize,
    physicalBlockSize: physicalOf(physical, logicalBlockSize),
    identity: `device ${rdev}`,
  };
}

/** Where Linux describes a block device, or null elsewhere. */
async function sysfsFolder(rdev: bigint): Promise<string | null> {
  // The layout of a device number in Linux: twelve bits of major at bit 8, the minor around them.
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xffff_f000n);
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & 0xffff_ff00n);
  try {
    return await realpath(`/sys/dev/block/${major}:${minor}`);
  } catch {
    return null;
  }
}

/** A partition has no queue of its own: that of its disk, one folder up, counts. */
async function queueFolder(folder: string): Promise<string> {
  const own = `${folder}/queue`;
  return (await numberIn(own, "logical_block_size")) === null ? `${folder}/../queue` : own;
}

async function numberIn(folder: string | null, name: string): Promise<number | null> {
  if (folder === null) return null;
  try {
    const value = Number.parseInt(await readFile(`${folder}/${name}`, "utf8"), 10);
    return Number.isSafeInteger(value) ? value : null;
  } catch {
    return null;
  }
}

/** Finds the end of a device where nothing else tells: by reading single blocks, doubling and then halving. */
async function sizeByReading(path: string, blockSize: number): Promise<number> {
  const handle = await open(path, constants.O_RDONLY);
  try {
    return await endByReading(handle, blockSize);
  } finally {
    await handle.close();
  }
}

/** @internal The first offset, in whole blocks, at which nothing can be read. */
export async function endByReading(handle: Pick<FileHandle, "read">, blockSize: number): Promise<number> {
  const block = new Uint8Array(blockSize);
  const canRead = async (index: number): Promise<boolean> => {
    try {
      return (await handle.read(block, 0, blockSize, index * blockSize)).bytesRead === blockSize;
    } catch (error) {
      // A bad block lies within the device; anything else is how some systems say that it has ended.
      return isErrno(error, "EIO");
    }
  };
  let end = 1;
  const indexMax = Math.floor(Number.MAX_SAFE_INTEGER / blockSize);
  while (end <= indexMax && (await canRead(end - 1))) end *= 2;
  let readable = Math.floor(end / 2);
  let unreadable = Math.min(end, indexMax);
  while (readable + 1 < unreadable) {
    const middle = Math.floor((readable + unreadable) / 2);
    if (await canRead(middle - 1)) readable = middle;
    else unreadable = middle;
  }
  return readable * blockSize;
}

function physicalOf(size: number, logicalBlockSize: number): number {
  const isPowerOfTwo = size > 0 && 2 ** Math.round(Math.log2(size)) === size;
  return Math.max(logicalBlockSize, isPowerOfTwo ? Math.min(size, 65_536) : PHYSICAL_DEFAULT);
}

const isErrno = (error: unknown, errno: string): boolean =>
  error instanceof Error && "code" in error && error.code === errno;

import * as VFS from "wa-sqlite/src/VFS.js";
import { AREA_COUNT, TABLE_LENGTH, decodeTable, encodeTable } from "./file-table.ts";
import type { DiskFile } from "./file-table.ts";

/** What the files lie on: a `Device` of cev, or something in front of one. */
export interface Disk {
  readonly size: number;
  read(offset: number, length: number): Promise<Uint8Array>;
  write(offset: number, data: Uint8Array): Promise<void>;
  flush(): Promise<void>;
}

/**
 * The files of one database on a block device: a table in its first sector, and an area for each file. What a file system promises, and no
 * more: data and sizes are durable once a file has been synced, a file that was deleted may be back after a power cut, and where the data of
 * a deleted file lay nothing is written before the deletion is durable.
 */
export class DiskVfs extends VFS.Base {
  readonly name: string;
  readonly #disk: Disk;
  readonly #areaLength: number;
  readonly #files = new Map<string, DiskFile>();
  readonly #open = new Map<number, { readonly file: DiskFile; readonly isTemporary: boolean }>();
  /** Areas that the table on the disk gives to a file. */
  #durableAreas = new Set<number>();
  #isTableChanged = false;

  private constructor(name: string, disk: Disk) {
    super();
    this.name = name;
    this.#disk = disk;
    this.#areaLength = Math.floor((disk.size - TABLE_LENGTH) / AREA_COUNT / 4096) * 4096;
  }

  /** Of a disk that was used before, or that holds zeroes. `name`: what SQLite calls it, another one each time. */
  static async on(disk: Disk, name: string): Promise<DiskVfs> {
    const vfs = new DiskVfs(name, disk);
    for (const file of decodeTable(await disk.read(0, TABLE_LENGTH))) {
      vfs.#files.set(file.name, file);
      vfs.#durableAreas.add(file.area);
    }
    return vfs;
  }

  override xOpen(name: string | null, fileId: number, flags: number, outFlags: DataView): number {
    const path = name ?? `temporary ${fileId}`;
    const file = this.#files.get(path) ?? this.#create(path, flags);
    if (file === null) return VFS.SQLITE_CANTOPEN;
    this.#open.set(fileId, { file, isTemporary: (flags & VFS.SQLITE_OPEN_DELETEONCLOSE) !== 0 });
    outFlags.setInt32(0, flags, true);
    return VFS.SQLITE_OK;
  }

  override xClose(fileId: number): number {
    const opened = this.#open.get(fileId);
    this.#open.delete(fileId);
    if (opened?.isTemporary === true) this.#remove(opened.file.name);
    return VFS.SQLITE_OK;
  }

  override xRead(fileId: number, target: Uint8Array, offset: number): number {
    const file = this.#fileOf(fileId);
    const length = Math.max(0, Math.min(target.length, file.size - offset));
    target.fill(0, length);
    const enough = length === target.length ? VFS.SQLITE_OK : VFS.SQLITE_IOERR_SHORT_READ;
    if (length === 0) return enough;
    return this.#attempt(VFS.SQLITE_IOERR_READ, async () => {
      target.set(await this.#disk.read(this.#placeOf(file, offset), length));
      return enough;
    });
  }

  override xWrite(fileId: number, data: Uint8Array, offset: number): number {
    const file = this.#fileOf(fileId);
    const end = offset + data.length;
    if (end > this.#areaLength) return VFS.SQLITE_FULL;
    return this.#attempt(VFS.SQLITE_IOERR_WRITE, async () => {
      await this.#disk.write(this.#placeOf(file, offset), data);
      if (end > file.size) this.#resize(file, end);
      return VFS.SQLITE_OK;
    });
  }

  override xTruncate(fileId: number, size: number): number {
    this.#resize(this.#fileOf(fileId), size);
    return VFS.SQLITE_OK;
  }

  override xSync(): number {
    return this.#attempt(VFS.SQLITE_IOERR_FSYNC, () => this.#sync());
  }

  override xFileSize(fileId: number, target: DataView): number {
    target.setBigInt64(0, BigInt(this.#fileOf(fileId).size), true);
    return VFS.SQLITE_OK;
  }

  override xDelete(name: string, isDurable: number): number {
    this.#remove(name);
    if (isDurable === 0) return VFS.SQLITE_OK;
    return this.#attempt(VFS.SQLITE_IOERR_DELETE, () => this.#sync());
  }

  override xAccess(name: string, _flags: number, target: DataView): number {
    target.setInt32(0, this.#files.has(name) ? 1 : 0, true);
    return VFS.SQLITE_OK;
  }

  #fileOf(fileId: number): DiskFile {
    return this.#open.get(fileId)!.file;
  }

  #placeOf({ area }: DiskFile, offset: number): number {
    return TABLE_LENGTH + area * this.#areaLength + offset;
  }

  /** Null: it is not to be made, or there is no room. */
  #create(name: string, flags: number): DiskFile | null {
    if ((flags & VFS.SQLITE_OPEN_CREATE) === 0) return null;
    const taken = new Set([...this.#durableAreas, ...[...this.#files.values()].map(({ area }) => area)]);
    const area = Array.from({ length: AREA_COUNT }, (_, index) => index).find((index) => !taken.has(index));
    if (area === undefined) return null;
    const file = { name, area, size: 0 };
    this.#files.set(name, file);
    this.#isTableChanged = true;
    return file;
  }

  #remove(name: string): void {
    if (this.#files.delete(name)) this.#isTableChanged = true;
  }

  #resize(file: DiskFile, size: number): void {
    if (file.size === size) return;
    file.size = size;
    this.#isTableChanged = true;
  }

  /**
   * Data first, and the sizes once it is durable: a file never shows what a deleted one has left in its area. Whatever is synced, the
   * whole table goes with it, as in a file system with a journal.
   */
  async #sync(): Promise<number> {
    await this.#disk.flush();
    if (!this.#isTableChanged) return VFS.SQLITE_OK;
    const areas = new Set([...this.#files.values()].map(({ area }) => area));
    // Until the flush has come through the disk may hold this table or the one before.
    for (const area of areas) this.#durableAreas.add(area);
    await this.#disk.write(0, encodeTable(this.#files.values()));
    await this.#disk.flush();
    this.#isTableChanged = false;
    this.#durableAreas = areas;
    return VFS.SQLITE_OK;
  }

  /** SQLite waits for what takes several turns, and hears of an error by its code. */
  #attempt(code: number, work: () => Promise<number>): number {
    return this.handleAsync(async () => {
      try {
        return await work();
      } catch {
        return code;
      }
    });
  }
}

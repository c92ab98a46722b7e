// What is used here of wa-sqlite, whose own declarations do not fit its virtual file systems.

declare module "wa-sqlite/src/sqlite-constants.js" {
  export const SQLITE_OK: number;
  export const SQLITE_CANTOPEN: number;
  export const SQLITE_FULL: number;
  export const SQLITE_IOERR: number;
  export const SQLITE_IOERR_READ: number;
  export const SQLITE_IOERR_SHORT_READ: number;
  export const SQLITE_IOERR_WRITE: number;
  export const SQLITE_IOERR_FSYNC: number;
  export const SQLITE_IOERR_DELETE: number;
  export const SQLITE_OPEN_READWRITE: number;
  export const SQLITE_OPEN_CREATE: number;
  export const SQLITE_OPEN_DELETEONCLOSE: number;
}

declare module "wa-sqlite/src/VFS.js" {
  export * from "wa-sqlite/src/sqlite-constants.js";

  /** A virtual file system: each method gives a result code of SQLite. */
  export class Base {
    xOpen(name: string | null, fileId: number, flags: number, outFlags: DataView): number;
    xClose(fileId: number): number;
    xRead(fileId: number, target: Uint8Array, offset: number): number;
    xWrite(fileId: number, data: Uint8Array, offset: number): number;
    xTruncate(fileId: number, size: number): number;
    xSync(fileId: number, flags: number): number;
    xFileSize(fileId: number, target: DataView): number;
    xDelete(name: string, isDurable: number): number;
    xAccess(name: string, flags: number, target: DataView): number;
    /** SQLite waits for the promise; its value is the result. */
    handleAsync(work: () => Promise<number>): number;
  }
}

declare module "wa-sqlite/src/sqlite-api.js" {
  import type { Base } from "wa-sqlite/src/VFS.js";

  /** SQLite's C interface, with promises and with errors that are thrown. */
  export interface SqliteApi {
    libversion(): string;
    vfs_register(vfs: Base, isDefault: boolean): number;
    open_v2(name: string, flags: number, vfsName: string): Promise<number>;
    exec(database: number, sql: string, onRow?: (row: readonly unknown[]) => void): Promise<number>;
    close(database: number): Promise<number>;
  }

  export function Factory(module: unknown): SqliteApi;
}

declare module "wa-sqlite/dist/wa-sqlite-async.mjs" {
  const createModule: (settings: { readonly wasmBinary: Uint8Array }) => Promise<unknown>;
  export { createModule as default };
}

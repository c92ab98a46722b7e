import { readFile } from "node:fs/promises";
import createModule from "wa-sqlite/dist/wa-sqlite-async.mjs";
import { Factory } from "wa-sqlite/src/sqlite-api.js";
import type { SqliteApi } from "wa-sqlite/src/sqlite-api.js";
import { SQLITE_OPEN_CREATE, SQLITE_OPEN_READWRITE } from "wa-sqlite/src/sqlite-constants.js";
import { DiskVfs } from "./disk-vfs.ts";
import type { Disk } from "./disk-vfs.ts";

export type Row = readonly unknown[];

/** SQLite, compiled to WebAssembly, which opens databases on disks. */
export class SqliteEngine {
  readonly #api: SqliteApi;
  #openCount = 0;

  private constructor(api: SqliteApi) {
    this.#api = api;
  }

  static async load(): Promise<SqliteEngine> {
    const wasmBinary = await readFile(new URL(import.meta.resolve("wa-sqlite/dist/wa-sqlite-async.wasm")));
    return new SqliteEngine(Factory(await createModule({ wasmBinary })));
  }

  get version(): string {
    return this.#api.libversion();
  }

  /** Opens the database of the disk, or makes it. */
  async open(disk: Disk): Promise<Database> {
    const vfs = await DiskVfs.on(disk, `disk ${this.#openCount++}`);
    this.#api.vfs_register(vfs, false);
    const flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    return new Database(this.#api, await this.#api.open_v2("ledger", flags, vfs.name));
  }
}

/** An open database. */
export class Database {
  readonly #api: SqliteApi;
  readonly #handle: number;

  constructor(api: SqliteApi, handle: number) {
    this.#api = api;
    this.#handle = handle;
  }

  /** Runs statements and gives the rows of all of them. Rejects with an error whose `code` is SQLite's. */
  async run(sql: string): Promise<Row[]> {
    const rows: Row[] = [];
    await this.#api.exec(this.#handle, sql, (row) => void rows.push([...row]));
    return rows;
  }

  /** The first value of the first row. */
  async value(sql: string): Promise<unknown> {
    return (await this.run(sql))[0]?.[0];
  }

  async close(): Promise<void> {
    await this.#api.close(this.#handle);
  }
}

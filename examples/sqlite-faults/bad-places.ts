import { Op } from "@cev/core";
import type { Environment } from "@cev/core";
import { SQLITE_IOERR } from "wa-sqlite/src/sqlite-constants.js";
import type { SqliteEngine } from "./database.ts";
import { FragileDisk } from "./fragile-disk.ts";
import { addEntry, checkLedger, setUpLedger, shrinkCache } from "./ledger.ts";

/** What SQLite made of a disk with places that cannot be read, and of one that refuses a write. */
export interface BadPlacesOutcome {
  /** The code of SQLite's error: of a query that met the bad place, and of a transaction whose write failed. */
  readonly readError: unknown;
  readonly writeError: unknown;
  /** How many entries there were before, and in the end. */
  readonly before: number;
  readonly after: number;
}

const ENTRIES = 60;

/** Reads a ledger whose disk has bad sectors, and again when they have been mended; then a write fails, and is tried again. */
export async function failUnderSqlite(
  environment: Environment,
  engine: SqliteEngine,
): Promise<BadPlacesOutcome> {
  const disk = await FragileDisk.open(environment, 1);
  const database = await engine.open(disk);
  await setUpLedger(database, { journal: "truncate", synchronous: "full" });
  for (let number = 1; number <= ENTRIES; number++) await addEntry(database, number);
  const before = await checkLedger(database);
  await database.close();

  // A sector that cannot be read at the moment: in the middle of the first area, where the database lies.
  disk.faults.addBadRange(48 * 1024, 512);
  const again = await engine.open(disk);
  await setUpLedger(again, { journal: "truncate", synchronous: "full" });
  const readError = await codeOf(checkLedger(again));
  disk.faults.reset();
  await checkLedger(again);

  await shrinkCache(again);
  disk.faults.add({ op: Op.write, skipCount: 3, countMax: 1, fault: { kind: "error", code: "CEV_IO" } });
  const writeError = await codeOf(addEntry(again, before + 1));
  // The transaction that failed is as if it had never been, and the same once more succeeds.
  await again.run("ROLLBACK").catch(() => undefined);
  if ((await checkLedger(again)) !== before) throw new Error("half a transaction is there");
  await addEntry(again, before + 1);
  const after = await checkLedger(again);
  await again.close();
  await disk.close();
  return { readError, writeError, before, after };
}

/** True for SQLite's error of a disk that failed. */
export const isDiskError = (code: unknown): boolean => code === SQLITE_IOERR;

async function codeOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
    return null;
  } catch (error) {
    return (error as { readonly code?: unknown }).code;
  }
}

import type { Environment } from "@cev/core";
import type { Database, SqliteEngine } from "./database.ts";
import { FragileDisk } from "./fragile-disk.ts";
import { addEntry, checkLedger, setUpLedger, shrinkCache } from "./ledger.ts";
import type { LedgerOptions } from "./ledger.ts";

/** A run with power cuts. */
export interface PowerCutOptions extends LedgerOptions {
  readonly environment: Environment;
  readonly engine: SqliteEngine;
  readonly seed: number;
  /** So many transactions are done. */
  readonly transactionCount: number;
  /** The power goes with the first request, with the second when it is back, and so on up to this one, and again. */
  readonly requestsMax: number;
  /** Flushes are acknowledged, and not done. */
  readonly losesFlushes?: boolean;
}

/** What came of it. */
export interface PowerCutOutcome {
  readonly transactionCount: number;
  readonly cutCount: number;
  readonly requestCount: number;
  /** How many transactions had been acknowledged, and were gone after a cut. */
  readonly lostCount: number;
  /** What was wrong with the database when it was opened again; null: nothing, ever. It ends the run. */
  readonly damage: string | null;
}

/** Does transactions while the power goes again and again, and opens the database anew each time. */
export async function cutUnderSqlite(options: PowerCutOptions): Promise<PowerCutOutcome> {
  const { environment, engine, seed, transactionCount, requestsMax } = options;
  const disk = await FragileDisk.open(environment, seed);
  if (options.losesFlushes === true) disk.loseFlushes();
  let acknowledged = 0;
  let lostCount = 0;
  let damage: string | null = null;
  const outcome = (): PowerCutOutcome => ({
    transactionCount: acknowledged,
    cutCount: disk.cutCount,
    requestCount: disk.requestCount,
    lostCount,
    damage,
  });
  for (let start = 0; acknowledged < transactionCount && damage === null; start++) {
    disk.restore();
    // Every second time the power goes again while the database is opened, which mends what the last cut has left.
    const count = 1 + (Math.floor(start / 2) % requestsMax);
    if (start % 2 === 1) disk.cutAfter(count);
    const found = await untilTheCut(disk, engine, async (database) => {
      await setUpLedger(database, options);
      const entryCount = await checkLedger(database);
      lostCount += Math.max(0, acknowledged - entryCount);
      acknowledged = entryCount;
      await shrinkCache(database);
      if (start % 2 === 0) disk.cutAfter(count);
      while (acknowledged < transactionCount) {
        await addEntry(database, acknowledged + 1);
        acknowledged++;
      }
    });
    damage = found;
  }
  disk.restore();
  await disk.close();
  return outcome();
}

/** Null: it went well, or the power went; else what was wrong. */
async function untilTheCut(
  disk: FragileDisk,
  engine: SqliteEngine,
  work: (database: Database) => Promise<void>,
): Promise<string | null> {
  let database: Database | null = null;
  try {
    database = await engine.open(disk);
    await work(database);
    return null;
  } catch (error) {
    return disk.isOff ? null : (error as Error).message;
  } finally {
    await database?.close().catch(() => undefined);
  }
}

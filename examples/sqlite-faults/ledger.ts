import type { Database } from "./database.ts";

/** How SQLite keeps what it promises. */
export interface LedgerOptions {
  readonly journal: "truncate" | "delete" | "wal";
  readonly synchronous: "normal" | "full" | "extra";
}

const TABLES = `
  CREATE TABLE IF NOT EXISTS entry (number INTEGER PRIMARY KEY, amount INTEGER NOT NULL, note TEXT NOT NULL);
  CREATE INDEX IF NOT EXISTS by_amount ON entry (amount);
  CREATE TABLE IF NOT EXISTS total (sum INTEGER NOT NULL);
`;

export async function setUpLedger(
  database: Database,
  { journal, synchronous }: LedgerOptions,
): Promise<void> {
  await database.run(
    `PRAGMA locking_mode = ${journal === "wal" ? "exclusive" : "normal"}; PRAGMA journal_mode = ${journal}; PRAGMA synchronous = ${synchronous};
     PRAGMA wal_autocheckpoint = 100; PRAGMA temp_store = memory;`,
  );
  if ((await database.value("SELECT count(*) FROM sqlite_schema WHERE name = 'total'")) === 1) return;
  await database.run(`BEGIN; ${TABLES} INSERT INTO total VALUES (0); COMMIT;`);
}

/** From now on pages are written before their transaction ends, too. */
export async function shrinkCache(database: Database): Promise<void> {
  await database.run("PRAGMA cache_size = 12");
}

/** One transaction over two tables and an index: all of it is there afterwards, or nothing. */
export async function addEntry(database: Database, number: number): Promise<void> {
  await database.run(
    `BEGIN;
     INSERT INTO entry VALUES (${number}, ${amountOf(number)}, '${noteOf(number)}');
     UPDATE total SET sum = sum + ${amountOf(number)};
     UPDATE entry SET note = upper(note) WHERE number = ${Math.ceil(number / 2)};
     COMMIT;`,
  );
}

/** The number of the last entry. Throws what is wrong: with the file, with an entry, between the tables. */
export async function checkLedger(database: Database): Promise<number> {
  const integrity = await database.value("PRAGMA integrity_check");
  if (integrity !== "ok") throw new Error(`integrity_check: ${String(integrity)}`);
  const rows = await database.run("SELECT number, amount, note FROM entry ORDER BY number");
  let sum = 0;
  for (const [index, [number, amount, note]] of rows.entries()) {
    const expected = index + 1;
    const text = expected <= Math.ceil(rows.length / 2) ? noteOf(expected).toUpperCase() : noteOf(expected);
    if (number !== expected || amount !== amountOf(expected) || note !== text)
      throw new Error(`entry ${expected} is ${JSON.stringify([number, amount])}`);
    sum += amountOf(expected);
  }
  const total = await database.value("SELECT sum FROM total");
  if (total !== sum) throw new Error(`the total is ${String(total)}, and the entries give ${sum}`);
  return rows.length;
}

const amountOf = (number: number): number => (number * 7919) % 1000;

/** One in ten is longer than a page. */
const noteOf = (number: number): string => `entry ${number} `.repeat(number % 10 === 0 ? 500 : 10);

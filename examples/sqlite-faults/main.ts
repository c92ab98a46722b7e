/**
 * SQLite on a disk that loses its power, lies about flushes, and cannot read a sector.
 *
 *     node main.ts [TRANSACTIONS]
 */
import { environmentFrom } from "@cev/core";
import { failUnderSqlite, isDiskError } from "./bad-places.ts";
import { SqliteEngine } from "./database.ts";
import { cutUnderSqlite } from "./power-cuts.ts";
import type { PowerCutOptions, PowerCutOutcome } from "./power-cuts.ts";

const transactionCount = Number(process.argv[2] ?? 200);
const environment = environmentFrom(globalThis);
const engine = await SqliteEngine.load();
const say = (line: string): void => void process.stdout.write(`${line}\n`);
say(`SQLite ${engine.version}`);

const cut = (
  options: Pick<PowerCutOptions, "journal" | "synchronous" | "losesFlushes">,
): Promise<PowerCutOutcome> =>
  cutUnderSqlite({ environment, engine, seed: 1, transactionCount, requestsMax: 60, ...options });
const textOf = ({
  transactionCount: count,
  cutCount,
  requestCount,
  lostCount,
  damage,
}: PowerCutOutcome): string =>
  `${count} transactions, ${requestCount} requests, ${cutCount} power cuts: ` +
  `${lostCount} acknowledged transactions lost, ${damage ?? "nothing damaged"}`;

let isAsPromised = true;
for (const [journal, synchronous] of [
  ["truncate", "full"],
  ["wal", "full"],
  ["delete", "extra"],
] as const) {
  const outcome = await cut({ journal, synchronous });
  say(`${journal}, synchronous=${synchronous}: ${textOf(outcome)}`);
  isAsPromised &&= outcome.lostCount === 0 && outcome.damage === null;
}
// SQLite deletes the journal and does not wait for that to be durable: a transaction may be undone, as a whole.
const deleted = await cut({ journal: "delete", synchronous: "full" });
say(`delete, synchronous=full: ${textOf(deleted)}`);
isAsPromised &&= deleted.damage === null;

const lied = await cut({ journal: "truncate", synchronous: "full", losesFlushes: true });
say(`flushes acknowledged and not done: ${textOf(lied)}`);
isAsPromised &&= lied.lostCount > 0 || lied.damage !== null;

const bad = await failUnderSqlite(environment, engine);
say(
  `a sector that cannot be read: SQLite error ${String(bad.readError)}; all ${bad.before} entries are there once it can`,
);
say(`a write that fails: SQLite error ${String(bad.writeError)}; tried again, entry ${bad.after} is there`);
isAsPromised &&= isDiskError(bad.readError) && isDiskError(bad.writeError) && bad.after === bad.before + 1;
process.exitCode = isAsPromised ? 0 : 1;

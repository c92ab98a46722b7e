import { join } from "node:path";
import { expect, test } from "vitest";
import { runSource } from "../../scripts/run-source.ts";

test("SQLite loses nothing to power cuts, everything to a disk that lies about flushes, and bears errors", () => {
  const { status, stdout, stderr } = runSource(join(import.meta.dirname, "main.ts"), "25");
  expect(stderr).toBe("");
  for (const mode of ["truncate, synchronous=full", "wal, synchronous=full", "delete, synchronous=extra"])
    expect(stdout).toMatch(
      new RegExp(
        `^${mode}: 25 transactions, \\d+ requests, \\d{2,} power cuts: 0 .* lost, nothing damaged$`,
        "mu",
      ),
    );
  // Here a commit is durable only with a later one.
  expect(stdout).toMatch(
    /^delete, synchronous=full: .* [1-9]\d* acknowledged transactions lost, nothing damaged$/mu,
  );
  expect(stdout).toMatch(
    /^flushes acknowledged and not done: .*(?:malformed|total|integrity_check|entry|[1-9]\d* ack)/mu,
  );
  expect(stdout).toMatch(
    /^a sector that cannot be read: SQLite error 10; all 60 entries are there once it can$/mu,
  );
  expect(stdout).toMatch(/^a write that fails: SQLite error 10; tried again, entry 61 is there$/mu);
  expect(status).toBe(0);
});

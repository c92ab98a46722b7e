import type { LiveStats, OpStats } from "@cev/stack";
import { sizeText } from "../sizes.ts";

const TITLES = [
  "NAME",
  "READS",
  "READ",
  "WRITES",
  "WRITTEN",
  "FLUSHES",
  "DISCARDS",
  "ZEROES",
  "ERRORS",
  "IN FLIGHT",
  "MOST",
];

/** A line for each device; of a time that was waited for, per second. */
export function statsText({ seconds, devices }: LiveStats): string[] {
  const per = seconds ?? 1;
  const count = (value: number): string => (value / per).toFixed(seconds === null ? 0 : 1);
  const bytes = (value: number): string => sizeText(Math.round(value / per));
  const rows = devices.map(({ name, ops, inFlight, inFlightMax }) => {
    const { read, write, flush, discard, writeZeroes } = ops;
    const errors = [read, write, flush, discard, writeZeroes].reduce(
      (sum: number, op: OpStats) => sum + op.errorCount,
      0,
    );
    return [
      name,
      count(read.count),
      bytes(read.bytes),
      count(write.count),
      bytes(write.bytes),
      count(flush.count),
      count(discard.count),
      count(writeZeroes.count),
      String(errors),
      String(inFlight),
      String(inFlightMax),
    ];
  });
  const head = seconds === null ? [] : [`per second, over ${seconds.toFixed(1)} s:`];
  return [...head, ...aligned([TITLES, ...rows])];
}

function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join("  "),
  );
}

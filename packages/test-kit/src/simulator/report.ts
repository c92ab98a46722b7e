import type { SimulationFailure } from "./campaign.ts";

/** What was done to stacks with layers of a kind. */
export interface KindSums {
  readonly runCount: number;
  readonly stepCount: number;
  readonly cutCount: number;
  readonly excusedCount: number;
  readonly findingCount: number;
}

/** What a campaign did. */
export interface CampaignReport {
  readonly runCount: number;
  readonly stepCount: number;
  readonly requestCount: number;
  readonly cutCount: number;
  /** Errors that had to be expected. */
  readonly excusedCount: number;
  readonly turnCount: number;
  /** Runs in which something was found. */
  readonly findingCount: number;
  /** Runs in which most requests failed as they had to: their steps are not counted. */
  readonly redrawnCount: number;
  /** By name; a run counts for each kind in its stack. */
  readonly kinds: Readonly<Record<string, KindSums>>;
  readonly failures: readonly SimulationFailure[];
}

/** Of a campaign that has not begun. */
export function emptyReport(kinds: readonly string[]): CampaignReport {
  const none = { runCount: 0, stepCount: 0, cutCount: 0, excusedCount: 0, findingCount: 0 };
  return {
    ...{ runCount: 0, stepCount: 0, requestCount: 0, cutCount: 0, excusedCount: 0, turnCount: 0 },
    findingCount: 0,
    redrawnCount: 0,
    kinds: Object.fromEntries(kinds.map((name) => [name, none])),
    failures: [],
  };
}

/** Of campaigns beside one another. */
export function mergeReports(a: CampaignReport, b: CampaignReport): CampaignReport {
  const names = [...new Set([...Object.keys(a.kinds), ...Object.keys(b.kinds)])];
  return {
    runCount: a.runCount + b.runCount,
    stepCount: a.stepCount + b.stepCount,
    requestCount: a.requestCount + b.requestCount,
    cutCount: a.cutCount + b.cutCount,
    excusedCount: a.excusedCount + b.excusedCount,
    turnCount: a.turnCount + b.turnCount,
    findingCount: a.findingCount + b.findingCount,
    redrawnCount: a.redrawnCount + b.redrawnCount,
    kinds: Object.fromEntries(names.map((name) => [name, mergedSums(a.kinds[name], b.kinds[name])])),
    failures: [...a.failures, ...b.failures],
  };
}

function mergedSums(a: KindSums | undefined, b: KindSums | undefined): KindSums {
  if (a === undefined || b === undefined) return (a ?? b)!;
  return {
    runCount: a.runCount + b.runCount,
    stepCount: a.stepCount + b.stepCount,
    cutCount: a.cutCount + b.cutCount,
    excusedCount: a.excusedCount + b.excusedCount,
    findingCount: a.findingCount + b.findingCount,
  };
}

/** A row per kind, and one of all, as a Markdown table. */
export function reportTable(report: CampaignReport): string {
  const rows = [
    ["kind", "runs", "steps", "cuts", "excused errors", "findings"],
    ...[...Object.entries(report.kinds), ["all", report] as const].map(([name, sums]) => [
      name,
      ...[sums.runCount, sums.stepCount, sums.cutCount, sums.excusedCount, sums.findingCount].map(String),
    ]),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) => {
    const cells = row.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
    );
    return `| ${cells.join(" | ")} |`;
  });
  const rule = widths.map((width, column) =>
    column === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`,
  );
  return [lines[0], `| ${rule.join(" | ")} |`, ...lines.slice(1)].join("\n");
}

import { NEED_TEXT } from "./check.ts";
import type { Check, Need } from "./check.ts";

/** How a check ended. */
export type Verdict =
  | { readonly kind: "passed" }
  | { readonly kind: "failed"; readonly what: string; readonly transcript: string }
  | { readonly kind: "notOffered"; readonly need: Need }
  | { readonly kind: "skipped"; readonly why: string };

/** A check and how it ended. */
export interface Judged {
  readonly check: Pick<Check, "name" | "level" | "section" | "sentence">;
  readonly verdict: Verdict;
}

/** What the suite has to say of a server. */
export interface ConformanceReport {
  /** Where it listens, and the export. */
  readonly target: string;
  /** Bytes; null where the export could not be looked at. */
  readonly size: bigint | null;
  /** Transmission flags without structured replies. */
  readonly flags: number | null;
  readonly judged: readonly Judged[];
  /** Whether the server let nobody come to the export any more after a check. */
  readonly isGone: boolean;
  /** Null, or why what the checks changed could not be put back, and where it is. */
  readonly leftover: string | null;
  /** Null, or why nothing could be seen of the export: most rules were not looked at then. */
  readonly trouble: string | null;
}

/** The text that the sentences are from. */
export const DOCUMENT =
  "doc/proto.md of github.com/NetworkBlockDevice/nbd at 89ba7b5, extended headers: branch extension-ext-header at e6f3b94";

export interface ConformanceCounts {
  readonly passed: number;
  /** Rules the document demands. */
  readonly failedMust: number;
  /** Recommendations. */
  readonly failedShould: number;
  readonly notOffered: number;
  readonly skipped: number;
}

export function countVerdicts({ judged }: Pick<ConformanceReport, "judged">): ConformanceCounts {
  const count = (wanted: (one: Judged) => boolean): number => judged.filter(wanted).length;
  return {
    passed: count(({ verdict }) => verdict.kind === "passed"),
    failedMust: count(({ check, verdict }) => verdict.kind === "failed" && check.level === "must"),
    failedShould: count(({ check, verdict }) => verdict.kind === "failed" && check.level === "should"),
    notOffered: count(({ verdict }) => verdict.kind === "notOffered"),
    skipped: count(({ verdict }) => verdict.kind === "skipped"),
  };
}

/** One line for people; more where something failed. */
export function verdictLines({ check, verdict }: Judged): string[] {
  switch (verdict.kind) {
    case "passed":
      return [`ok            ${check.name}`];
    case "notOffered":
      return [`not offered   ${check.name}: ${NEED_TEXT[verdict.need]}`];
    case "skipped":
      return [`skipped       ${check.name}: ${verdict.why}`];
    case "failed": {
      const lines = [
        `${check.level === "must" ? "MUST FAILED  " : "should failed"} ${check.name}`,
        `    ${verdict.what}`,
      ];
      if (check.sentence !== "") lines.push(`    “${check.sentence}” (${check.section})`);
      return lines;
    }
  }
}

/** "120 passed, 2 rules broken, …". */
export function countsLine(report: ConformanceReport): string {
  const { passed, failedMust, failedShould, notOffered, skipped } = countVerdicts(report);
  const broken = `${failedMust} of the rules (must) broken, ${failedShould} of the recommendations (should)`;
  const gone = report.isGone ? "; the server did not outlive them" : "";
  return `${passed} passed, ${broken}, ${notOffered} not offered, ${skipped} skipped${gone}`;
}

/** The report for programs. */
export function reportJson(report: ConformanceReport): object {
  return {
    server: report.target,
    size: report.size === null ? null : Number(report.size),
    flags: report.flags,
    document: DOCUMENT,
    isGone: report.isGone,
    leftover: report.leftover,
    trouble: report.trouble,
    checks: report.judged.map(({ check: { name, level, section, sentence }, verdict }) => ({
      name,
      level,
      section,
      sentence,
      verdict: verdict.kind,
      ...(verdict.kind === "failed" ? { what: verdict.what, transcript: verdict.transcript } : {}),
      ...(verdict.kind === "notOffered" ? { need: verdict.need } : {}),
      ...(verdict.kind === "skipped" ? { why: verdict.why } : {}),
    })),
    counts: countVerdicts(report),
  };
}

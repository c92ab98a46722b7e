import type { CheckResult, ContestantResult } from "./judge.ts";
import { KNOWN_FINDINGS } from "./known-findings.ts";
import type { KnownFinding } from "./known-findings.ts";

/** Servers and what came of them, in Markdown. */
export function countsTable(results: readonly ContestantResult[]): string {
  const lines = results.map(({ name, checks }) => {
    const count = (isMeant: (check: CheckResult) => boolean): number => checks.filter(isMeant).length;
    const failed = (level: string): number =>
      count((check) => check.verdict === "failed" && check.level === level);
    const [passed, notOffered, skipped] = (["passed", "notOffered", "skipped"] as const).map((verdict) =>
      count((check) => check.verdict === verdict),
    );
    return `| ${name} | ${passed} | ${failed("must")} | ${failed("should")} | ${notOffered} | ${skipped} |`;
  });
  return [
    "| server | passed | rules broken (must) | recommendations not followed (should) | not offered | nothing to see |",
    "| --- | ---: | ---: | ---: | ---: | ---: |",
    ...lines,
    "",
  ].join("\n");
}

/** A row of that table, up to the sentence. */
export function findingStart({ kind, check, what, isAtTimes }: KnownFinding): string {
  return `| ${kind} | \`${check}\` | ${what}${isAtTimes === true ? " (not always)" : ""} | `;
}

/** Rows of tables that a document lacks, or has otherwise. */
export function rowsMissingIn(document: string, ...tables: readonly string[]): string[] {
  const known = new Set(document.split("\n"));
  return tables.flatMap((table) => table.split("\n")).filter((row) => row !== "" && !known.has(row));
}

/** What is known of others, with the sentence of the document. */
export function findingsTable(results: readonly ContestantResult[]): string {
  const all = new Map(results.flatMap(({ checks }) => checks).map((check) => [check.name, check]));
  const sentenceOf = (pattern: string): string => {
    const [start = "", end = ""] = pattern.split("*");
    const check =
      all.get(pattern) ?? [...all.values()].find(({ name }) => name.startsWith(start) && name.endsWith(end));
    return check === undefined || check.sentence === "" ? "" : `“${check.sentence}” (${check.level})`;
  };
  return [
    "| server | check | what it does | sentence |",
    "| --- | --- | --- | --- |",
    ...KNOWN_FINDINGS.map((finding) => `${findingStart(finding)}${sentenceOf(finding.check)} |`),
    "",
  ].join("\n");
}

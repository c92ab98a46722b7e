import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cev } from "../src/cev.ts";
import type { Contestant } from "./contestants.ts";
import { findingFor, KNOWN_FINDINGS } from "./known-findings.ts";
import { RunningServer } from "./server.ts";

/** One check, as `cev nbd-conformance --json` tells it. */
export interface CheckResult {
  readonly name: string;
  readonly level: "must" | "should";
  readonly section: string;
  readonly sentence: string;
  readonly verdict: "passed" | "failed" | "notOffered" | "skipped";
  readonly what?: string;
  readonly why?: string;
}

/** How often a server that ends by chance is started. */
const RUNS_MAX = 4;

/** What came of one server. */
export interface ContestantResult {
  readonly name: string;
  readonly checks: readonly CheckResult[];
  /** Failed checks that are in no table. */
  readonly unknown: readonly CheckResult[];
  /** Findings that hold at all times, and did not this time. */
  readonly gone: readonly string[];
}

/** Runs the suite against a server. */
export async function judge(
  contestant: Contestant,
  { folder, only = null }: { readonly folder: string; readonly only?: string | null },
): Promise<ContestantResult> {
  const place = mkdtempSync(join(folder, "s-"));
  try {
    let checks = await runOnce(contestant, join(place, "0"), only);
    // A server that ends by chance in the middle says nothing of the rest.
    for (let tries = 1; tries < RUNS_MAX && checks.some(isCutShort); tries++)
      checks = await runOnce(contestant, join(place, String(tries)), only);
    const failed = checks.filter(({ verdict }) => verdict === "failed");
    return {
      name: contestant.name,
      checks,
      unknown: failed.filter(({ name }) => findingFor(contestant.kind, name) === null),
      gone: checks
        .filter(({ name, verdict }) => verdict === "passed" && isAlways(contestant.kind, name))
        .map(({ name }) => name),
    };
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

async function runOnce(contestant: Contestant, socket: string, only: string | null): Promise<CheckResult[]> {
  const server = await RunningServer.start(await contestant.command(socket), socket);
  try {
    return await runSuite(contestant, socket, only);
  } finally {
    await server.stop();
  }
}

function isCutShort({ verdict, why }: CheckResult): boolean {
  return verdict === "skipped" && why === "the server does not answer any more";
}

async function runSuite(
  { kind, uri, readOnlyExport }: Contestant,
  socket: string,
  only: string | null,
): Promise<CheckResult[]> {
  const fatal = KNOWN_FINDINGS.find((finding) => finding.kind === kind && finding.isFatal === true);
  const { stdout, stderr } = await cev(
    [
      ...["nbd-conformance", uri(socket), "--write", "--json", "--timeout", "2"],
      ...(only === null ? [] : ["--only", only]),
      ...(fatal === undefined ? [] : ["--except", fatal.check]),
      ...(readOnlyExport === undefined ? [] : ["--read-only-export", readOnlyExport]),
    ],
    { timeoutMs: 300_000 },
  );
  if (!stdout.startsWith("{")) throw new Error(`the suite did not run: ${stderr}${stdout}`);
  return (JSON.parse(stdout) as { readonly checks: CheckResult[] }).checks;
}

/** A finding named exactly that does not depend on chance. */
function isAlways(kind: Contestant["kind"], name: string): boolean {
  const finding = findingFor(kind, name);
  return finding !== null && finding.check === name && finding.isAtTimes !== true;
}

import { CevError } from "@cev/core";
import type { Environment } from "@cev/core";
import { Bench } from "./bench.ts";
import { isWanted } from "./check.ts";
import type { Check } from "./check.ts";
import { CHECKS } from "./checks/index.ts";
import type { ConformanceReport, Judged, Verdict } from "./report.ts";
import { SavedScratch } from "./scratch.ts";
import { isMet, surveyServer } from "./survey.ts";
import type { Permissions, Survey } from "./survey.ts";
import { targetText } from "./target.ts";
import type { ConformanceTarget } from "./target.ts";
import { NotApplicable, Unreachable, Violation } from "./violation.ts";
import { Wire } from "./wire.ts";
import type { WireOptions } from "./wire.ts";

export interface ConformanceOptions {
  readonly environment: Environment;
  readonly target: ConformanceTarget;
  /** Whether the last 64 MiB of the export may be changed; what was there is put back at the end. */
  readonly canWrite: boolean;
  /** The name of an export of the same server that is read-only. */
  readonly readOnlyName?: string;
  /** Only checks whose name contains this; `*` stands for anything. */
  readonly only?: string;
  /** Leaves out checks whose name contains this: those that a server does not outlive. */
  readonly except?: string;
  /** How long each answer is waited for, in milliseconds; by default 5000. */
  readonly timeoutMs?: number;
  readonly onVerdict?: (judged: Judged) => void;
}

const TIMEOUT_MS = 5000;

/** Puts every rule that can be seen from outside to a server. Throws `CEV_NOT_FOUND` where none answers. */
export async function runConformance(options: ConformanceOptions): Promise<ConformanceReport> {
  const { environment, target, canWrite, readOnlyName = null, timeoutMs = TIMEOUT_MS } = options;
  const survey = await reach(options, () => surveyServer(target, { environment, timeoutMs }));
  const may: Permissions = {
    canWrite,
    hasTls: target.tls !== null,
    mustUseTls: target.tls?.isRequired ?? false,
    hasReadOnlyExport: readOnlyName !== null,
  };
  const makeBench = (): Bench => new Bench({ target, survey, environment, timeoutMs, readOnlyName });
  const { only = null, except } = options;
  const checks = CHECKS.filter(
    ({ name }) => isWanted(name, only) && (except === undefined || !isWanted(name, except)),
  );
  const writes = checks.some(({ needs }) => needs.includes("write")) && isMet("write", survey, may);
  const saved = writes ? await reach(options, () => SavedScratch.save(makeBench())) : null;
  const judged: Judged[] = [];
  let isGone = false;
  for (const check of checks) {
    let verdict: Verdict = isGone
      ? { kind: "skipped", why: GONE }
      : await judge(check, { survey, may, bench: makeBench() });
    if (!isGone && verdict.kind === "failed" && !(await answers(target, { environment, timeoutMs }))) {
      isGone = true;
      verdict = { ...verdict, what: `${verdict.what}; and ${GONE}` };
    }
    const one: Judged = { check, verdict };
    judged.push(one);
    options.onVerdict?.(one);
  }
  if (saved !== null && !isGone) await reach(options, () => saved.restore());
  const { simple } = survey;
  return { target: targetText(target), size: simple?.size ?? null, flags: simple?.flags ?? null, judged };
}

const GONE = "the server takes no connections any more";

async function judge(
  check: Check,
  { survey, may, bench }: { readonly survey: Survey; readonly may: Permissions; readonly bench: Bench },
): Promise<Verdict> {
  const missing = check.needs.find((need) => !isMet(need, survey, may));
  if (missing === "export") return { kind: "skipped", why: survey.trouble ?? "there is no such export" };
  if (missing !== undefined) return { kind: "notOffered", need: missing };
  if (check.room !== undefined && bench.scratch.length < check.room)
    return { kind: "skipped", why: `the export is smaller than ${check.room} bytes` };
  try {
    await check.run(bench);
    return { kind: "passed" };
  } catch (error) {
    if (error instanceof NotApplicable) return { kind: "skipped", why: error.message };
    const transcript = bench.transcript();
    if (error instanceof Violation) return { kind: "failed", what: error.message, transcript };
    // All connections before this one were taken: the server ended, or is stuck.
    if (error instanceof Unreachable)
      return { kind: "failed", what: `${GONE}: ${error.message}`, transcript };
    throw error;
  } finally {
    await bench.end();
  }
}

/** Whether connections are still taken: what a server does not outlive ends the run. */
async function answers(target: ConformanceTarget, options: WireOptions): Promise<boolean> {
  try {
    await (await Wire.open(target, options)).close();
    return true;
  } catch (error) {
    if (error instanceof Unreachable) return false;
    throw error;
  }
}

async function reach<Result>({ target }: ConformanceOptions, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (cause) {
    const source = targetText(target);
    if (cause instanceof Unreachable)
      throw new CevError("CEV_NOT_FOUND", `no server answers: ${cause.message}`, { source, cause });
    if (cause instanceof Violation)
      throw new CevError("CEV_IO", `what the checks change could not be read or put back: ${cause.message}`, {
        source,
        cause,
      });
    throw cause;
  }
}

/** Every check, in the order in which they are done. */
export function conformanceChecks(): readonly Check[] {
  return CHECKS;
}

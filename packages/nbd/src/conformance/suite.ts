import { tmpdir } from "node:os";
import { CevError, formatError } from "@cev/core";
import type { Environment } from "@cev/core";
import { Bench } from "./bench.ts";
import { isWanted } from "./check.ts";
import type { Check } from "./check.ts";
import { CHECKS } from "./checks/index.ts";
import type { ConformanceReport, Judged, Verdict } from "./report.ts";
import { SavedScratch } from "./scratch.ts";
import { TransmissionFlag } from "../protocol/numbers.ts";
import { isStillThere } from "./still-there.ts";
import { isMet, surveyServer } from "./survey.ts";
import type { Permissions, Survey } from "./survey.ts";
import { targetText } from "./target.ts";
import type { ConformanceTarget } from "./target.ts";
import { NotApplicable, Unreachable, Violation } from "./violation.ts";
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
  /** Where the file with what is put back at the end is made; by default the system's folder for temporary files. */
  readonly saveIn?: string;
  /** Told before the first write: the file that holds what is put back at the end, and where in the export it belongs. */
  readonly onSaved?: (saved: { readonly path: string; readonly offset: number }) => void;
  /** Ends the run when it aborts, after what was changed has been put back. */
  readonly signal?: AbortSignal;
}

const TIMEOUT_MS = 5000;

/**
 * Puts every rule that can be seen from outside to a server. Throws `CEV_NOT_FOUND` where none answers, and why `signal` was
 * aborted; `CEV_IO` where what was changed could not be put back.
 */
export async function runConformance(options: ConformanceOptions): Promise<ConformanceReport> {
  const { environment, target, canWrite, readOnlyName = null, timeoutMs = TIMEOUT_MS, signal } = options;
  const wireOptions: WireOptions = { environment, timeoutMs, signal };
  const survey = await reach(options, () => surveyServer(target, wireOptions));
  const may: Permissions = {
    canWrite,
    hasTls: target.tls !== null,
    mustUseTls: target.tls?.isRequired ?? false,
    hasReadOnlyExport: readOnlyName !== null,
  };
  if (readOnlyName !== null && survey.simple !== null)
    await reach(options, () => checkReadOnly(readOnlyName, target, wireOptions));
  const bench = { target, survey, environment, timeoutMs, readOnlyName };
  const makeBench = (): Bench => new Bench({ ...bench, signal });
  const { only = null, except } = options;
  const checks = CHECKS.filter(
    ({ name }) => isWanted(name, only) && (except === undefined || !isWanted(name, except)),
  );
  const writes = checks.some(({ needs }) => needs.includes("write")) && isMet("write", survey, may);
  const saved = writes
    ? await reach(options, () => SavedScratch.save(makeBench(), options.saveIn ?? tmpdir()))
    : null;
  const judged: Judged[] = [];
  let isGone = false;
  const restore = async (): Promise<string | null> =>
    saved === null ? null : await putBack(saved, () => new Bench(bench));
  try {
    if (saved !== null) options.onSaved?.(saved);
    for (const check of checks) {
      let verdict: Verdict = isGone
        ? { kind: "skipped", why: GONE }
        : await judge(check, { survey, may, bench: makeBench() });
      signal?.throwIfAborted();
      const isLast = judged.length === checks.length - 1;
      if (!isGone && (verdict.kind === "failed" || isLast) && !(await isStillThere(makeBench))) {
        isGone = true;
        if (verdict.kind === "failed") verdict = { ...verdict, what: `${verdict.what}; and ${GONE}` };
      }
      const one: Judged = { check, verdict };
      judged.push(one);
      options.onVerdict?.(one);
    }
  } catch (error) {
    const leftover = await restore();
    if (leftover === null) throw error;
    throw new CevError("CEV_IO", leftover, { source: targetText(target), cause: error });
  }
  // Also of a server that is gone: it may be started again, and these are somebody's data.
  const leftover = await restore();
  const { simple } = survey;
  const trouble = simple === null && missesExport(survey, target) ? (survey.trouble ?? NO_EXPORT) : null;
  const facts = { size: simple?.size ?? null, flags: simple?.flags ?? null };
  return { target: targetText(target), ...facts, judged, isGone, leftover, trouble };
}

/** Null: done. Else what is to be told of it. */
async function putBack(saved: SavedScratch, makeBench: () => Bench): Promise<string | null> {
  try {
    await saved.restore(makeBench);
    return null;
  } catch (error) {
    const { path, offset, length } = saved;
    return `what the checks changed could not be put back (${formatError(error)}): the ${length} bytes that were at byte ${offset} of the export are in ${path}`;
  }
}

/** Whoever names a read-only export has to name one. */
async function checkReadOnly(name: string, target: ConformanceTarget, options: WireOptions): Promise<void> {
  const { simple, trouble } = await surveyServer({ ...target, exportName: name }, options);
  if (simple !== null && (simple.flags & TransmissionFlag.readOnly) !== 0) return;
  const why = simple === null ? (trouble ?? NO_EXPORT) : "it can be written";
  throw new CevError("CEV_INVALID", `the export “${name}” is not one that is read-only: ${why}`, {
    source: targetText(target),
    hint: "name a read-only export of this server, or none",
  });
}

/** True where that nothing could be seen of the export is no rule of the server's that was looked at, too. */
function missesExport({ isTlsForced }: Survey, { tls }: ConformanceTarget): boolean {
  return !isTlsForced || tls !== null;
}

const NO_EXPORT = "there is no such export";
const GONE = "the server does not answer any more";

/** Where blocks are large, a check that writes works on so many of them. */
const ROOM_UNITS = 12;

async function judge(
  check: Check,
  { survey, may, bench }: { readonly survey: Survey; readonly may: Permissions; readonly bench: Bench },
): Promise<Verdict> {
  const missing = check.needs.find((need) => !isMet(need, survey, may));
  if (missing === "export") return { kind: "skipped", why: survey.trouble ?? NO_EXPORT };
  if (missing !== undefined) return { kind: "notOffered", need: missing };
  const room = check.room === undefined ? 0 : Math.max(check.room, ROOM_UNITS * bench.unit);
  if (room > 0 && bench.scratch.length < room)
    return { kind: "skipped", why: `the export is smaller than ${room} bytes` };
  try {
    await check.run(bench);
    return { kind: "passed" };
  } catch (error) {
    if (error instanceof NotApplicable) return { kind: "skipped", why: error.message };
    const transcript = bench.transcript();
    if (error instanceof Violation) return { kind: "failed", what: error.message, transcript };
    // All connections before this one were taken: the server ended, or is stuck.
    if (error instanceof Unreachable)
      return { kind: "failed", what: `no connection came about: ${error.message}`, transcript };
    // Whatever the answer was, it was not one that could be understood.
    return { kind: "failed", what: `an answer could not be understood: ${formatError(error)}`, transcript };
  } finally {
    await bench.end();
  }
}

async function reach<Result>(
  { target, signal }: ConformanceOptions,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (cause) {
    signal?.throwIfAborted();
    const source = targetText(target);
    if (cause instanceof Unreachable)
      throw new CevError("CEV_NOT_FOUND", `no server answers: ${cause.message}`, { source, cause });
    if (cause instanceof Violation)
      throw new CevError("CEV_IO", `what the checks would change could not be read: ${cause.message}`, {
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

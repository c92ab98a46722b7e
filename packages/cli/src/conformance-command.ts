import { userInfo } from "node:os";
import { environmentFrom, formatError, isCevError } from "@cev/core";
import type { Problem } from "@cev/core";
import {
  conformanceChecks,
  countsLine,
  countVerdicts,
  parseNbdUri,
  pskOf,
  readCertificateFolder,
  readPskFile,
  reportJson,
  runConformance,
  verdictLines,
} from "@cev/nbd";
import type { ConformanceTarget, ConformanceTls, Judged, NbdUri } from "@cev/nbd";
import { ExitStatus } from "./exit-status.ts";
import { Interrupt } from "./interrupt.ts";
import { complain, complainOfError, note, say } from "./output.ts";
import { UsageError } from "./usage-error.ts";

export interface ConformanceCommandOptions {
  readonly write?: boolean;
  readonly readOnlyExport?: string;
  readonly only?: string;
  readonly except?: string;
  readonly json?: boolean;
  readonly list?: boolean;
  readonly verbose?: boolean;
  readonly timeout?: string;
}

/** `cev nbd-conformance`: puts the rules of the protocol document to an NBD server. Failed when it breaks one that is demanded. */
export async function nbdConformance(
  uri: string | undefined,
  options: ConformanceCommandOptions,
): Promise<ExitStatus> {
  if (options.list === true) {
    for (const { name, level } of conformanceChecks()) say(`${level.padEnd(6)} ${name}`);
    return ExitStatus.done;
  }
  if (uri === undefined) throw new UsageError("nbd-conformance needs the URI of a server, or --list");
  const timeoutMs = timeoutOf(options.timeout);
  const tell = (judged: Judged): void => {
    if (options.json === true || !isTold(judged, options.verbose === true)) return;
    for (const line of verdictLines(judged)) say(line);
    const { verdict } = judged;
    if (options.verbose === true && verdict.kind === "failed")
      for (const line of verdict.transcript.split("\n")) say(`    | ${line}`);
  };
  const target = await targetOf(uri);
  using interrupt = new Interrupt();
  try {
    const report = await runConformance({
      environment: environmentFrom(globalThis),
      target,
      signal: interrupt.signal,
      canWrite: options.write === true,
      ...(timeoutMs === null ? {} : { timeoutMs }),
      ...(options.readOnlyExport === undefined ? {} : { readOnlyName: options.readOnlyExport }),
      ...(options.only === undefined ? {} : { only: options.only }),
      ...(options.except === undefined ? {} : { except: options.except }),
      onSaved: ({ path, offset }) =>
        note(`what is at byte ${offset} and behind is kept in ${path} until it is put back`),
      onVerdict: tell,
    });
    if (report.judged.length === 0) throw new UsageError(`no check is named like ${options.only ?? ""}`);
    if (options.json === true) say(JSON.stringify(reportJson(report), null, 2));
    else say(countsLine(report));
    if (report.leftover !== null) complain(report.leftover);
    if (report.trouble !== null) complain(`nothing could be seen of the export: ${report.trouble}`);
    const isLeft = report.leftover !== null || report.trouble !== null;
    const isBroken = countVerdicts(report).failedMust > 0 || report.isGone;
    return isBroken || isLeft ? ExitStatus.failed : ExitStatus.done;
  } catch (error) {
    if (isCevError(error) && error.code === "CEV_INVALID") throw new UsageError(formatError(error));
    if (!isCevError(error) || error.code !== "CEV_NOT_FOUND") throw error;
    if (options.json === true) {
      const problem: Problem = { severity: "error", code: error.code, message: formatError(error) };
      say(JSON.stringify({ problems: [problem] }, null, 2));
    }
    complainOfError(error);
    return ExitStatus.unreachable;
  }
}

/** Passed checks are many: they are told to those who ask. */
function isTold({ verdict }: Judged, isVerbose: boolean): boolean {
  return isVerbose || verdict.kind === "failed";
}

function timeoutOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  const seconds = Number(text);
  if (!(seconds > 0) || seconds > 3600) throw new UsageError("--timeout takes seconds, up to 3600");
  return seconds * 1000;
}

async function targetOf(text: string): Promise<ConformanceTarget> {
  const uri = uriOf(text);
  return { address: uri.address, exportName: uri.exportName, tls: uri.isTls ? await tlsOf(uri) : null };
}

function uriOf(text: string): NbdUri {
  try {
    return parseNbdUri(text);
  } catch (error) {
    throw isCevError(error) && error.code === "CEV_INVALID" ? new UsageError(formatError(error)) : error;
  }
}

async function tlsOf({ tls, username, address }: NbdUri): Promise<ConformanceTls> {
  const { pskFile, certificates, hostname, verifyPeer = true } = tls;
  const shared = {
    isRequired: true,
    hostname: hostname ?? ("host" in address ? address.host : "localhost"),
    verifiesPeer: verifyPeer,
  };
  if (pskFile !== undefined && tls.type !== "x509") {
    const name = username ?? userInfo().username;
    return { ...shared, psk: pskOf(await readPskFile(pskFile), name, pskFile) };
  }
  if (certificates === undefined) return shared;
  return { ...shared, ...(await readCertificateFolder(certificates, "client")) };
}

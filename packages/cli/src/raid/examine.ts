import { CevError, formatError, isCevError } from "@cev/core";
import type { Problem } from "@cev/core";
import { readBadBlocks, readBitmap } from "@cev/raid";
import { closing } from "../closing.ts";
import { ExitStatus } from "../exit-status.ts";
import { complainOf, say } from "../output.ts";
import type { KeyOptions } from "../sources.ts";
import { badBlocksText, bitmapText } from "./bitmap-text.ts";
import { examineJson } from "./examine-json.ts";
import { briefText, examineText, exportText } from "./examine-text.ts";
import { badBlockRoom } from "./examination.ts";
import type { Examination } from "./examination.ts";
import { findMembers } from "./find-members.ts";
import type { FoundMember } from "./find-members.ts";

const SECTOR = 512;
const CHECKSUM_AT = 216;
const OLD_CHECKSUM_AT = 152;

export interface ExamineOptions extends KeyOptions {
  readonly json?: boolean;
  readonly bitmap?: boolean;
  readonly badBlocks?: boolean;
  readonly brief?: boolean;
  readonly export?: boolean;
}

/** `cev raid examine`: what the superblock of each member says. Failed when one cannot be read. */
export async function examine(sources: readonly string[], options: ExamineOptions): Promise<ExitStatus> {
  const found = await findMembers(sources, options);
  const problems: Problem[] = [...found.problems];
  await closing(found.stack, async () => {
    const examinations: Examination[] = [];
    for (const member of found.members) examinations.push(await examineMember(member, problems));
    if (examinations.length === 0 && problems.length === 0) throw noSuperblock(sources);
    if (options.json === true)
      say(JSON.stringify({ members: examinations.map(examineJson), problems }, null, 2));
    else for (const line of textOf(examinations, options)) say(line);
    complainOf(problems);
  });
  return problems.some((one) => one.severity === "error") ? ExitStatus.failed : ExitStatus.done;
}

async function examineMember(member: FoundMember, problems: Problem[]): Promise<Examination> {
  const { name, target, superblock } = member;
  const at = superblock.old === null ? CHECKSUM_AT : OLD_CHECKSUM_AT;
  const word = await target.read(superblock.superOffsetSectors * SECTOR, SECTOR);
  const checksum = new DataView(word.buffer, word.byteOffset).getUint32(at, true);
  const bitmap = await orProblem(readBitmap(target, superblock), name, problems);
  const hasLog = badBlockRoom(superblock) > 0;
  const badBlocks = hasLog ? await orProblem(readBadBlocks(target, superblock), name, problems) : null;
  return { name, size: target.size, superblock, checksum, bitmap, badBlocks };
}

/** What cannot be accepted is told, and the rest shown all the same. */
async function orProblem<T>(reading: Promise<T>, name: string, problems: Problem[]): Promise<T | null> {
  try {
    return await reading;
  } catch (error) {
    problems.push(problemOf(error, name));
    return null;
  }
}

function textOf(examinations: readonly Examination[], options: ExamineOptions): string[] {
  if (options.bitmap === true) return examinations.flatMap(bitmapText);
  if (options.badBlocks === true) return examinations.flatMap(badBlocksText);
  if (options.export === true) return examinations.flatMap(exportText);
  if (options.brief === true) return briefText(examinations);
  return examinations.flatMap(examineText);
}

function noSuperblock(sources: readonly string[]): CevError {
  return new CevError("CEV_NOT_FOUND", `no md superblock was found in ${sources.join(", ")}`, {
    hint: "cev inspect shows what else is in there",
  });
}

/** An error as something that does not stop the work. */
function problemOf(error: unknown, device: string): Problem {
  return {
    severity: "error",
    code: isCevError(error) ? error.code : "CEV_PROGRAM",
    message: formatError(error),
    device,
  };
}

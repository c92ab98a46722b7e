import { CevError } from "@cev/core";
import type { Level } from "../levels/level.ts";
import type { MemberDevice } from "../array/member.ts";
import type { RaidOptions } from "../options.ts";
import type { Assembly, LeftOut } from "./assemble.ts";

/** How messages call an array. */
export function titleOf({ newest }: Assembly<MemberDevice>): string {
  const { arrayName, arrayUuid } = newest.superblock;
  return arrayName === "" ? `array ${arrayUuid}` : `array ${arrayName}`;
}

/** What whether an array may be written depends on. */
export interface Situation {
  readonly assembly: Assembly<MemberDevice>;
  readonly level: Level;
  readonly allowed: RaidOptions & { readonly isReadOnly: boolean };
  readonly isClean: boolean;
  readonly isBitmapMissing: boolean;
  /** Why it cannot be written in any case. */
  readonly reason: string | null;
}

/** Whether the array may be written as far as its state goes, and what is to be said about that. */
export function judge(situation: Situation): { readonly canWrite: boolean; readonly message: string | null } {
  const { assembly, level, allowed, isClean, isBitmapMissing, reason } = situation;
  const title = titleOf(assembly);
  if (reason !== null) return { canWrite: false, message: `${title} is read-only: ${reason}` };
  if (isBitmapMissing)
    return {
      canWrite: false,
      message: `${title} is read-only: none of the copies of its bitmap can be used`,
    };
  if (assembly.missing.length === 0) {
    const parity = level.family === "parity" ? "its parity" : "its copies";
    const unclean = `${title} was not shut down cleanly: ${parity}`;
    const differ = level.family === "parity" ? "may be wrong" : "may differ";
    const message = allowed.isReadOnly
      ? `${unclean} ${differ} until it is opened for writing`
      : `${unclean} ${level.family === "parity" ? "is" : "are"} made right in the background`;
    return { canWrite: true, message: isClean ? null : message };
  }
  return judgeDegraded(situation);
}

function judgeDegraded({ assembly, level, allowed, isClean }: Situation): {
  readonly canWrite: boolean;
  readonly message: string | null;
} {
  const lost = `${titleOf(assembly)} is degraded: ${missingText(assembly)}`;
  // With parity, what was being written then tells nothing certain of what the missing members held.
  if (!isClean && level.family === "parity" && allowed.force !== true) {
    const message =
      `${lost}, and it was not shut down cleanly: what was being written then cannot be reconstructed, ` +
      "so it is read-only; the option force (in a stack file, force: true) believes what it holds";
    return { canWrite: false, message };
  }
  // Nobody is missing by accident where all places have a device.
  if (allowed.degraded === true || emptyPlaces(assembly).length === 0)
    return { canWrite: true, message: lost };
  const message = allowed.isReadOnly
    ? lost
    : `${lost}, so it is read-only; writing must be allowed (degraded)`;
  return { canWrite: false, message };
}

/** An array that too few members were found of; `refusal`: why one that was given could not be read. */
export function tooFew(
  assembly: Assembly<MemberDevice>,
  level: Level,
  leftOut: readonly LeftOut[],
  refusal: CevError | null,
): CevError {
  const { memberCount } = assembly.newest.superblock;
  const count = level.isRedundant ? neededCount(level, memberCount) : `all of its ${memberCount} devices`;
  const why =
    leftOut.length === 0 ? "" : ` (${leftOut.map(({ name, reason }) => `${name} ${reason}`).join("; ")})`;
  const hint =
    level.isRedundant && assembly.stale.length > 0
      ? "give the other members too; the option force takes stale ones, and loses what was written since"
      : "give the other members too";
  return new CevError("CEV_DEGRADED", `${titleOf(assembly)} needs ${count}; ${missingText(assembly)}${why}`, {
    ...refusal?.place,
    source: assembly.newest.name,
    hint,
    cause: refusal ?? undefined,
  });
}

function neededCount(level: Level, memberCount: number): string {
  switch (level.number) {
    case 4:
    case 5:
      return `${memberCount - 1} of its ${memberCount} devices`;
    case 6:
      return `${memberCount - 2} of its ${memberCount} devices`;
    case 1:
      return `one of its ${memberCount} devices`;
    default:
      return `a copy of everything on its ${memberCount} devices`;
  }
}

function emptyPlaces({ missing, rebuilding }: Assembly<MemberDevice>): number[] {
  return missing.filter((index) => rebuilding.every((one) => one.index !== index));
}

/** "active device 3 is missing", as mdadm counts them; with the name of a device that was given and left out. */
function missingText(assembly: Assembly<MemberDevice>): string {
  const { rebuilding, leftOut } = assembly;
  const indices = emptyPlaces(assembly);
  const places: string[] = [];
  for (let at = 0; at < indices.length; at++) {
    const index = indices[at]!;
    const names = leftOut.filter((one) => one.index === index).map(({ name }) => name);
    const length = names.length > 0 ? 1 : runLength(indices, at, leftOut);
    if (names.length > 0) places.push(`${index} (${names.join(", ")})`);
    else if (length < 3) places.push(`${index}`);
    else {
      places.push(`${index} to ${index + length - 1}`);
      at += length - 1;
    }
  }
  const texts: string[] = [];
  if (indices.length === 1) texts.push(`active device ${places[0]!} is missing`);
  if (indices.length > 1) texts.push(`active devices ${places.join(", ")} are missing`);
  for (const { index, member } of rebuilding)
    texts.push(`active device ${index} (${member.name}) is being rebuilt`);
  return texts.join(", ");
}

/** How many places follow one another that nobody who was given had. */
function runLength(indices: readonly number[], from: number, leftOut: readonly LeftOut[]): number {
  let length = 1;
  while (indices[from + length] === indices[from]! + length) {
    if (leftOut.some(({ index }) => index === indices[from]! + length)) break;
    length++;
  }
  return length;
}

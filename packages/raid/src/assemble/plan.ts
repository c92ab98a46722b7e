import { CevError, MetadataError } from "@cev/core";
import type { Layer, Problem } from "@cev/core";
import { assemble } from "./assemble.ts";
import type { Assembly, LeftOut } from "./assemble.ts";
import { formatUuid, parseUuid } from "../metadata/identity.ts";
import { readBitmap, readSuperblock, worldMessage } from "../metadata/member-scan.ts";
import type { MemberBitmap, ScanTarget } from "../metadata/member-scan.ts";
import type { MemberDevice } from "../array/member.ts";
import type { RaidOptions } from "../options.ts";
import { RAID5_LAYOUTS } from "../levels/raid5.ts";
import { SUPERBLOCK_STRUCTURE } from "../metadata/superblock-fields.ts";
import { checkSupported } from "./supported.ts";
import type { StripeLayout } from "../levels/stripe.ts";
import { unsyncedRanges } from "../array/unsynced-ranges.ts";

/** A device to look at, with the layer its array would stand on. */
export interface ArrayCandidate extends ScanTarget {
  readonly layer: Layer;
}

/** How an array is to be opened. */
export interface ArrayPlan {
  readonly assembly: Assembly<MemberDevice>;
  readonly layout: StripeLayout;
  readonly bitmap: MemberBitmap | null;
  readonly isReadOnly: boolean;
  /** The superblocks say that everything was written when the array was last used. */
  readonly isClean: boolean;
  readonly isDegraded: boolean;
}

/** What the user allows. */
export interface Permissions extends RaidOptions {
  /** Nothing may be written. */
  readonly isReadOnly: boolean;
  readonly report: (problem: Problem) => void;
}

/**
 * Reads the superblocks of all devices and decides how their array is opened: with which members, and whether it may be
 * written. Writes nothing. What is left out, and why, is reported. Throws where no array can be opened.
 */
export async function planArray(
  candidates: readonly ArrayCandidate[],
  allowed: Permissions,
): Promise<ArrayPlan> {
  const unreadable: LeftOut[] = [];
  const devices = await readMembers(candidates, allowed.uuid, unreadable);
  if (devices.length === 0) throw nothingFound(unreadable, allowed.uuid);
  const assembly = assemble(devices);
  const leftOut = [...unreadable, ...assembly.leftOut];
  const layout = layoutOf(assembly.newest);
  checkBitmapPlaces(assembly);
  if (assembly.missing.length > 1) throw tooFew(assembly, leftOut);
  for (const { name, reason } of leftOut)
    allowed.report({
      severity: "warning",
      code: "CEV_DEGRADED",
      message: `${name} ${reason}: it is left out of ${titleOf(assembly)}`,
      device: name,
    });
  const { bitmap, isMissing } = await findBitmap(candidates, assembly, allowed);
  const { superblock } = assembly.newest;
  const isClean = unsyncedRanges(superblock, bitmap).length === 0;
  const isDegraded = assembly.missing.length > 0;
  const judgement = judge({ assembly, allowed, isClean, isDegraded, isBitmapMissing: isMissing });
  if (judgement.message !== null)
    allowed.report({ severity: "warning", code: "CEV_DEGRADED", message: judgement.message });
  const isReadOnly = allowed.isReadOnly || !judgement.canWrite;
  return { assembly, layout, bitmap, isReadOnly, isClean, isDegraded };
}

/** How messages call an array. */
export function titleOf({ newest }: Assembly<MemberDevice>): string {
  const { arrayName, arrayUuid } = newest.superblock;
  return arrayName === "" ? `array ${arrayUuid}` : `array ${arrayName}`;
}

async function readMembers(
  candidates: readonly ArrayCandidate[],
  uuid: string | undefined,
  leftOut: LeftOut[],
): Promise<MemberDevice[]> {
  const parsed = uuid === undefined ? null : parseUuid(uuid);
  const wanted = parsed === null ? null : formatUuid(parsed, 0);
  const devices: MemberDevice[] = [];
  for (const candidate of candidates) {
    const { source } = candidate;
    try {
      const superblock = await readSuperblock(candidate);
      if (superblock === null) leftOut.push({ name: source, index: null, reason: "has no md superblock" });
      else if (wanted !== null && superblock.arrayUuid !== wanted)
        leftOut.push({ name: source, index: null, reason: `belongs to array ${superblock.arrayUuid}` });
      else {
        checkSupported(source, superblock);
        devices.push({ name: source, layer: candidate.layer, superblock });
      }
    } catch (error) {
      if (candidates.length === 1) throw error;
      leftOut.push({ name: source, index: null, reason: `cannot be used: ${worldMessage(error)}` });
    }
  }
  return devices;
}

function nothingFound(leftOut: readonly LeftOut[], uuid: string | undefined): CevError {
  const what = uuid === undefined ? "no md array was found" : `no member of array ${uuid} was found`;
  return new CevError("CEV_NOT_FOUND", leftOut.length === 0 ? what : `${what}: ${namesOf(leftOut)}`);
}

function layoutOf({ name, superblock }: MemberDevice): StripeLayout {
  const { level, layout, superOffsetSectors, memberCount } = superblock;
  const refuse = (field: string, at: number, message: string, isUnknown: boolean): MetadataError =>
    new MetadataError(
      message,
      { source: name, structure: SUPERBLOCK_STRUCTURE, field, byteOffset: superOffsetSectors * 512 + at },
      isUnknown ? "CEV_UNKNOWN_FEATURE" : "CEV_BAD_METADATA",
    );
  if (level !== 5) throw refuse("level", 72, `RAID level ${level} is not supported yet, level 5 is`, true);
  if (memberCount < 2) throw refuse("raid_disks", 92, "RAID5 needs at least two members", false);
  const found = RAID5_LAYOUTS[layout];
  if (found === undefined) throw refuse("layout", 76, `RAID5 has no layout ${layout}`, false);
  return found;
}

/** Either every member has room for the bitmap or none: it is written to all. */
function checkBitmapPlaces({ newest, members }: Assembly<MemberDevice>): void {
  const hasBitmap = newest.superblock.bitmapOffsetSectors !== 0;
  for (const member of members) {
    if (member === null || (member.superblock.bitmapOffsetSectors !== 0) === hasBitmap) continue;
    throw new MetadataError(
      `${newest.name} has ${hasBitmap ? "a" : "no"} bitmap, ${member.name} ${hasBitmap ? "has none" : "has one"}`,
      {
        source: member.name,
        structure: SUPERBLOCK_STRUCTURE,
        field: "bitmap_offset",
        byteOffset: member.superblock.superOffsetSectors * 512 + 96,
      },
    );
  }
}

function tooFew(assembly: Assembly<MemberDevice>, leftOut: readonly LeftOut[]): CevError {
  const { memberCount } = assembly.newest.superblock;
  const why = leftOut.length === 0 ? "" : ` (${namesOf(leftOut)})`;
  return new CevError(
    "CEV_DEGRADED",
    `${titleOf(assembly)} needs ${memberCount - 1} of its ${memberCount} devices; ${missingText(assembly)}${why}`,
    { source: assembly.newest.name, hint: "give the other members too" },
  );
}

/** The bitmap of the newest member, or the next that can be read: every member has a copy. */
async function findBitmap(
  candidates: readonly ArrayCandidate[],
  { newest, members }: Assembly<MemberDevice>,
  allowed: Permissions,
): Promise<{ bitmap: MemberBitmap | null; isMissing: boolean }> {
  if (newest.superblock.bitmapOffsetSectors === 0) return { bitmap: null, isMissing: false };
  for (const member of [newest, ...members.filter((other) => other !== newest)]) {
    const target = candidates.find(({ source }) => source === member?.name);
    if (member === null || target === undefined) continue;
    try {
      return { bitmap: await readBitmap(target, member.superblock), isMissing: false };
    } catch (error) {
      allowed.report({
        severity: "warning",
        code: "CEV_BAD_METADATA",
        message: `the bitmap of ${member.name} cannot be used: ${worldMessage(error)}; another member's copy is tried`,
        device: member.name,
      });
    }
  }
  return { bitmap: null, isMissing: true };
}

interface Situation {
  readonly assembly: Assembly<MemberDevice>;
  readonly allowed: Permissions;
  readonly isClean: boolean;
  readonly isDegraded: boolean;
  readonly isBitmapMissing: boolean;
}

/** Whether the array may be written as far as its state goes, and what is to be said about that. */
function judge(situation: Situation): { readonly canWrite: boolean; readonly message: string | null } {
  const { assembly, allowed, isClean, isDegraded, isBitmapMissing } = situation;
  const title = titleOf(assembly);
  if (isBitmapMissing)
    return {
      canWrite: false,
      message: `${title} is read-only: none of the copies of its bitmap can be used`,
    };
  if (!isDegraded) {
    const unclean = `${title} was not shut down cleanly: its parity`;
    const message = allowed.isReadOnly
      ? `${unclean} may be wrong until it is opened for writing`
      : `${unclean} is made right before anything is written`;
    return { canWrite: true, message: isClean ? null : message };
  }
  const lost = `${title} is degraded: ${missingText(assembly)}`;
  if (!isClean && allowed.force !== true) {
    const message =
      `${lost}, and it was not shut down cleanly: what was being written then cannot be reconstructed, ` +
      "so it is read-only; the option force (in a stack file, force: true) believes what it holds";
    return { canWrite: false, message };
  }
  if (allowed.degraded === true) return { canWrite: true, message: lost };
  const message = allowed.isReadOnly
    ? lost
    : `${lost}, so it is read-only; writing must be allowed (degraded)`;
  return { canWrite: false, message };
}

/** "active device 3 is missing", as mdadm counts them; with the name of a device that was given and left out. */
function missingText({ missing, leftOut }: Assembly<MemberDevice>): string {
  const places = missing.map((index) => {
    const names = leftOut.filter((one) => one.index === index).map(({ name }) => name);
    return names.length === 0 ? `${index}` : `${index} (${names.join(", ")})`;
  });
  return places.length === 1
    ? `active device ${places[0]!} is missing`
    : `active devices ${places.join(", ")} are missing`;
}

function namesOf(leftOut: readonly LeftOut[]): string {
  return leftOut.map(({ name, reason }) => `${name} ${reason}`).join("; ");
}

import { CevError, formatError, isCevError } from "@cev/core";
import type { Problem } from "@cev/core";
import { decodeGroup } from "../model/group.ts";
import type { PhysicalVolume, VolumeGroup } from "../model/group.ts";
import { textFault } from "../disk/scan.ts";
import type { MetadataCopy, PvScan } from "../disk/scan.ts";
import { show } from "../text/parser.ts";
import { writeText } from "../text/writer.ts";
import { derivedUuid } from "../disk/derived-uuid.ts";
import { dashUuid } from "../disk/uuid.ts";
import { displayNames, reportClones } from "./display-names.ts";
import { findInstances } from "./instances.ts";

/** A physical volume of a group and where it was found. */
export interface Member {
  readonly physicalVolume: PhysicalVolume;
  /** Index among the scans; null: missing, or not to be trusted. */
  readonly scanIndex: number | null;
  readonly state: "present" | "missing" | "marked missing";
}

/** A group with the physical volumes that were found of it. */
export interface AssembledGroup {
  readonly group: VolumeGroup;
  /**
   * What it is called among all that are here: its name, and behind an `@`, where another one has the same name, the place of its
   * devices ("vg0@backup").
   */
  readonly displayName: string;
  /** Indexes of the scans that are physical volumes of it, also of those that are not to be trusted. */
  readonly scanIndexes: readonly number[];
  readonly members: readonly Member[];
  /** The copy that was chosen. */
  readonly copy: MetadataCopy;
}

/**
 * Makes groups of physical volumes: of all copies of each group's metadata the newest counts, and what else was found is
 * reported. Groups that have one name or one UUID stand side by side. A group that cannot be accepted is left out, and `refuse`
 * gets the reason: `CEV_AMBIGUOUS` where it cannot be told which devices belong together or newest copies contradict each other,
 * `CEV_BAD_METADATA` where the newest does not hold together. Without `refuse` the first of these is thrown.
 */
export function assembleGroups(
  scans: readonly PvScan[],
  report: (problem: Problem) => void,
  refuse: (error: CevError) => void = throwIt,
): AssembledGroup[] {
  // Devices of groups that are left out belong to one, although nobody says which.
  const refused = new Set<number>();
  const leaveOut = (error: CevError, scanIndexes: readonly number[]): void => {
    for (const index of scanIndexes) refused.add(index);
    refuse(error);
  };
  const chosen = chooseAll(scans, report, leaveOut);
  for (const [index, scan] of scans.entries())
    if (!refused.has(index)) reportDamage(scan, index, chosen, report, leaveOut);
  const names = displayNames(chosen, scans);
  const assembled = chosen.map(({ copy, group, scanIndexes }, index) => ({
    copy,
    group,
    displayName: names[index]!,
    scanIndexes,
    members: findMembers(group, scans, scanIndexes, report),
  }));
  reportClones(assembled, scans, report);
  reportStrangers(scans, assembled, refused, report);
  return assembled;
}

function throwIt(error: CevError): never {
  throw error;
}

type LeaveOut = (error: CevError, scanIndexes: readonly number[]) => void;

/** The groups whose newest copy can be accepted, and whose devices belong to no other group. */
function chooseAll(
  scans: readonly PvScan[],
  report: (problem: Problem) => void,
  leaveOut: LeaveOut,
): Chosen[] {
  const chosen = findInstances(scans, leaveOut).flatMap(({ copies, scanIndexes }): Chosen[] => {
    try {
      const copy = chooseCopy(copies, report);
      const group = decodeNewest(copy);
      return [{ copy, group, scanIndexes: scanIndexes.filter((index) => lists(group, scans[index]!)) }];
    } catch (error) {
      if (!isCevError(error)) throw error;
      leaveOut(error, scanIndexes);
      return [];
    }
  });
  const contested = new Set<Chosen>();
  for (const [index, { source }] of scans.entries()) {
    const owners = chosen.filter(({ scanIndexes }) => scanIndexes.includes(index));
    if (owners.length < 2) continue;
    for (const owner of owners) contested.add(owner);
    const list = owners.map(({ group }) => `${group.name} (UUID ${group.uuid})`).join(", ");
    const error = new CevError("CEV_AMBIGUOUS", `${source.name} belongs to several groups: ${list}`, {
      source: source.name,
      hint: "open the groups one at a time",
    });
    leaveOut(
      error,
      owners.flatMap(({ scanIndexes }) => scanIndexes),
    );
  }
  return chosen.filter((one) => !contested.has(one));
}

/** A group whose newest copy has been chosen. */
interface Chosen {
  readonly copy: MetadataCopy;
  readonly group: VolumeGroup;
  readonly scanIndexes: readonly number[];
}

/** Damaged labels and areas of one device; a device is left out where nothing else says what it belongs to. */
function reportDamage(
  scan: PvScan,
  scanIndex: number,
  groups: readonly Chosen[],
  report: (problem: Problem) => void,
  leaveOut: LeaveOut,
): void {
  const device = scan.source.name;
  const tell = (error: CevError, instead: string): void =>
    report({
      severity: "warning",
      code: error.code,
      message: `${formatError(error)}; used instead: ${instead}`,
      device,
    });
  for (const error of scan.labelErrors) tell(error, `the label in sector ${scan.label.sector}`);
  for (const sector of scan.ignoredLabelSectors)
    report({
      severity: "warning",
      code: "CEV_AMBIGUOUS",
      message: `${device}: there is a second label in sector ${sector}; the one in sector ${scan.label.sector} is used`,
      device,
    });
  const owner = groups.find(({ scanIndexes }) => scanIndexes.includes(scanIndex));
  for (const { error } of scan.areas) {
    if (error === null) continue;
    if (owner === undefined && scan.areas.every(({ copy }) => copy === null)) {
      leaveOut(error, [scanIndex]);
      return;
    }
    tell(error, owner === undefined ? "another area" : `${owner.copy.structure} of ${owner.copy.source}`);
  }
}

/** True where a group lists the device as one of its physical volumes. */
function lists(group: VolumeGroup, { label }: PvScan): boolean {
  const uuid = dashUuid(label.uuid);
  return (
    group.physicalVolumes.some((volume) => volume.uuid === uuid) ||
    group.physicalVolumes.some((volume) => derivedUuid(volume.uuid, group.uuid) === uuid)
  );
}

/** The newest of a group's copies, which are at least one. */
function chooseCopy(copies: readonly MetadataCopy[], report: (problem: Problem) => void): MetadataCopy {
  const newest = copies.reduce((best, copy) => (copy.identity.seqno > best.identity.seqno ? copy : best));
  for (const copy of copies) {
    if (copy.identity.seqno < newest.identity.seqno)
      report({
        severity: "warning",
        code: "CEV_BAD_METADATA",
        message:
          `${copy.source}, ${copy.structure}: this copy of ${newest.identity.name} is out of date ` +
          `(number ${copy.identity.seqno}, the newest is ${newest.identity.seqno}); it is not used`,
        device: copy.source,
      });
    else checkSame(newest, copy);
  }
  return newest;
}

/** Copies with one number must describe one group; only who wrote them, and when, may differ. */
function checkSame(left: MetadataCopy, right: MetadataCopy): void {
  if (left.identity === right.identity || groupText(left) === groupText(right)) return;
  throw new CevError(
    "CEV_AMBIGUOUS",
    `the group ${left.identity.name} has two different newest descriptions, both number ${left.identity.seqno}: ` +
      `on ${left.source} (${left.structure}) and on ${right.source} (${right.structure})`,
    {
      source: right.source,
      structure: right.structure,
      hint: "open the group without one of the two devices",
    },
  );
}

function groupText({ identity }: MetadataCopy): string {
  const entries = [...identity.tree.entries].filter(([key]) => key === identity.name);
  return writeText({ entries: new Map(entries), offset: 0 });
}

function decodeNewest(copy: MetadataCopy): VolumeGroup {
  try {
    return decodeGroup(copy.identity);
  } catch (error) {
    throw textFault(error, copy);
  }
}

function findMembers(
  group: VolumeGroup,
  scans: readonly PvScan[],
  scanIndexes: readonly number[],
  report: (problem: Problem) => void,
): Member[] {
  const indexes = new Map(scanIndexes.map((index) => [dashUuid(scans[index]!.label.uuid), index]));
  return group.physicalVolumes.map((physicalVolume): Member => {
    const direct = indexes.get(physicalVolume.uuid);
    const scanIndex = direct ?? indexes.get(derivedUuid(physicalVolume.uuid, group.uuid));
    if (scanIndex === undefined) {
      report({
        severity: "warning",
        code: "CEV_DEGRADED",
        message:
          `${group.name}: the physical volume ${physicalVolume.uuid} is missing` +
          (physicalVolume.deviceHint === "" ? "" : ` (it was ${show(physicalVolume.deviceHint)})`),
      });
      return { physicalVolume, scanIndex: null, state: "missing" };
    }
    const { name, size } = scans[scanIndex]!.source;
    if (direct === undefined)
      report({
        severity: "warning",
        code: "CEV_DEGRADED",
        message:
          `${group.name}: vgimportclone was cut short: ${name} has its new UUID, but the group does not list that yet; ` +
          "run vgimportclone again",
        device: name,
      });
    if (physicalVolume.isMarkedMissing) {
      report({
        severity: "warning",
        code: "CEV_DEGRADED",
        message:
          `${group.name}: ${name} was missing when the group was last changed, so what it holds may be out of date; ` +
          "it is not used before vgextend --restoremissing",
        device: name,
      });
      return { physicalVolume, scanIndex: null, state: "marked missing" };
    }
    if (size < physicalVolume.size)
      report({
        severity: "warning",
        code: "CEV_BAD_METADATA",
        message: `${name} has ${size} bytes, but its group ${group.name} knows it with ${physicalVolume.size}`,
        device: name,
      });
    return { physicalVolume, scanIndex, state: "present" };
  });
}

/** Devices that carry metadata of a group that does not know them, and devices that belong to none. */
function reportStrangers(
  scans: readonly PvScan[],
  groups: readonly AssembledGroup[],
  refused: ReadonlySet<number>,
  report: (problem: Problem) => void,
): void {
  for (const [index, { source, areas }] of scans.entries()) {
    if (refused.has(index)) continue;
    if (groups.some(({ scanIndexes }) => scanIndexes.includes(index))) continue;
    const claimed = areas.find(({ copy }) => copy !== null)?.copy;
    const message =
      claimed === undefined || claimed === null
        ? `${source.name} is a physical volume of no group that is here`
        : `${source.name} no longer belongs to ${claimed.identity.name}: its newest description does not list it`;
    report({ severity: "warning", code: "CEV_NOT_FOUND", message, device: source.name });
  }
}

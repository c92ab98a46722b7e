import { CevError, formatError } from "@cev/core";
import type { Problem } from "@cev/core";
import { decodeGroup } from "../model/group.ts";
import type { PhysicalVolume, VolumeGroup } from "../model/group.ts";
import { textFault } from "../disk/scan.ts";
import type { MetadataCopy, PvScan } from "../disk/scan.ts";
import { show } from "../text/parser.ts";
import { writeText } from "../text/writer.ts";
import { dashUuid } from "../disk/uuid.ts";
import { findInstances } from "./instances.ts";
import { namePlaces } from "./places.ts";

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
 * reported. Groups that have one name or one UUID stand side by side. Throws `CEV_AMBIGUOUS` where it cannot be told which devices
 * belong together, and for newest copies that contradict each other.
 */
export function assembleGroups(
  scans: readonly PvScan[],
  report: (problem: Problem) => void,
): AssembledGroup[] {
  const chosen = findInstances(scans).map(({ copies, scanIndexes }): Chosen => {
    const copy = chooseCopy(copies, report);
    const group = decodeNewest(copy);
    return { copy, group, scanIndexes: scanIndexes.filter((index) => lists(group, scans[index]!)) };
  });
  checkOwners(scans, chosen);
  for (const [index, scan] of scans.entries()) reportDamage(scan, index, chosen, report);
  const names = displayNames(chosen, scans);
  const assembled = chosen.map(({ copy, group, scanIndexes }, index) => ({
    copy,
    group,
    displayName: names[index]!,
    scanIndexes,
    members: findMembers(group, scans, scanIndexes, report),
  }));
  reportClones(assembled, scans, report);
  reportStrangers(scans, assembled, report);
  return assembled;
}

/** A group whose newest copy has been chosen. */
interface Chosen {
  readonly copy: MetadataCopy;
  readonly group: VolumeGroup;
  readonly scanIndexes: readonly number[];
}

/** Groups of one name are told apart by the places of their devices, else by their UUIDs. */
function displayNames(groups: readonly Chosen[], scans: readonly PvScan[]): string[] {
  return groups.map((one) => {
    const { name, uuid } = one.group;
    const alike = groups.filter(({ group }) => group.name === name);
    if (alike.length === 1) return name;
    const places = namePlaces(
      alike.map(({ copy, scanIndexes }) =>
        scanIndexes.length === 0 ? [{ name: copy.source }] : scanIndexes.map((index) => scans[index]!.source),
      ),
    );
    return `${name}@${places?.[alike.indexOf(one)] ?? uuid.slice(0, uuid.indexOf("-"))}`;
  });
}

/** Groups of one name or one UUID: people should know that there are several, and what they are called. */
function reportClones(
  groups: readonly AssembledGroup[],
  scans: readonly PvScan[],
  report: (problem: Problem) => void,
): void {
  const reported = new Set<AssembledGroup>();
  for (const one of groups) {
    if (one.displayName === one.group.name || reported.has(one)) continue;
    const alike = groups.filter(({ group }) => group.name === one.group.name);
    for (const other of alike) reported.add(other);
    const list = alike.map(({ displayName, scanIndexes }) => {
      const devices = scanIndexes.map((index) => scans[index]!.source.name).join(", ");
      return `${displayName} (${devices || "none of its devices"})`;
    });
    const areClones = new Set(alike.map(({ group }) => group.uuid)).size < alike.length;
    report({
      severity: "warning",
      code: "CEV_AMBIGUOUS",
      message:
        `${alike.length} groups are named ${one.group.name}: ${list.join("; ")}` +
        (areClones ? "; clones get UUIDs of their own with vgimportclone" : ""),
    });
  }
}

/** Damaged labels and areas of one device. Throws an area's error where nothing else says what the device belongs to. */
function reportDamage(
  scan: PvScan,
  scanIndex: number,
  groups: readonly Chosen[],
  report: (problem: Problem) => void,
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
    if (owner === undefined && scan.areas.every(({ copy }) => copy === null)) throw error;
    tell(error, owner === undefined ? "another area" : `${owner.copy.structure} of ${owner.copy.source}`);
  }
}

/** True where a group lists the device as one of its physical volumes. */
function lists(group: VolumeGroup, { label }: PvScan): boolean {
  const uuid = dashUuid(label.uuid);
  return group.physicalVolumes.some((volume) => volume.uuid === uuid);
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

/** A physical volume belongs to one group. */
function checkOwners(scans: readonly PvScan[], groups: readonly Chosen[]): void {
  for (const [index, { source }] of scans.entries()) {
    const owners = groups.filter(({ scanIndexes }) => scanIndexes.includes(index));
    if (owners.length > 1)
      throw new CevError(
        "CEV_AMBIGUOUS",
        `${source.name} belongs to several groups: ${owners.map(({ group }) => `${group.name} (UUID ${group.uuid})`).join(", ")}`,
        { source: source.name, hint: "open the groups one at a time" },
      );
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
    const scanIndex = indexes.get(physicalVolume.uuid);
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
  report: (problem: Problem) => void,
): void {
  for (const [index, { source, areas }] of scans.entries()) {
    if (groups.some(({ scanIndexes }) => scanIndexes.includes(index))) continue;
    const claimed = areas.find(({ copy }) => copy !== null)?.copy;
    const message =
      claimed === undefined || claimed === null
        ? `${source.name} is a physical volume of no group that is here`
        : `${source.name} no longer belongs to ${claimed.identity.name}: its newest description does not list it`;
    report({ severity: "warning", code: "CEV_NOT_FOUND", message, device: source.name });
  }
}

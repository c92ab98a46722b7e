import { CevError, formatError } from "@cev/core";
import type { Problem } from "@cev/core";
import { decodeGroup } from "../model/group.ts";
import type { PhysicalVolume, VolumeGroup } from "../model/group.ts";
import { textFault } from "../disk/scan.ts";
import type { MetadataCopy, PvScan } from "../disk/scan.ts";
import { show } from "../text/parser.ts";
import { writeText } from "../text/writer.ts";
import { dashUuid } from "../disk/uuid.ts";

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
  readonly members: readonly Member[];
  /** The copy that was chosen. */
  readonly copy: MetadataCopy;
}

/**
 * Makes groups of physical volumes: of all copies of each group's metadata the newest counts, and what else was found is
 * reported. Throws `CEV_AMBIGUOUS` for two devices with one UUID, or newest copies that contradict each other.
 */
export function assembleGroups(
  scans: readonly PvScan[],
  report: (problem: Problem) => void,
): AssembledGroup[] {
  checkUuids(scans);
  const groups = [...copiesByGroup(scans).values()].map((copies) => {
    const copy = chooseCopy(copies, report);
    return { copy, group: decodeNewest(copy) };
  });
  checkOwners(scans, groups);
  for (const scan of scans) reportDamage(scan, groups, report);
  const assembled = groups.map(({ copy, group }) => ({
    copy,
    group,
    members: findMembers(group, scans, report),
  }));
  reportStrangers(scans, assembled, report);
  return assembled;
}

function checkUuids(scans: readonly PvScan[]): void {
  const sources = new Map<string, string>();
  for (const { label, source } of scans) {
    const other = sources.get(label.uuid);
    if (other !== undefined)
      throw new CevError(
        "CEV_AMBIGUOUS",
        `${other} and ${source.name} are the same physical volume (UUID ${dashUuid(label.uuid)})`,
        { source: source.name, hint: "leave one of them out: one is a copy of the other" },
      );
    sources.set(label.uuid, source.name);
  }
}

/** Damaged labels and areas of one device. Throws an area's error where nothing else says what the device belongs to. */
function reportDamage(
  scan: PvScan,
  groups: readonly { readonly copy: MetadataCopy; readonly group: VolumeGroup }[],
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
  const owner = groups.find(({ group }) => knows(group, scan));
  for (const { error } of scan.areas) {
    if (error === null) continue;
    if (owner === undefined && scan.areas.every(({ copy }) => copy === null)) throw error;
    tell(error, owner === undefined ? "another area" : `${owner.copy.structure} of ${owner.copy.source}`);
  }
}

/** True where a group lists the device as one of its physical volumes. */
function knows(group: VolumeGroup, { label }: PvScan): boolean {
  const uuid = dashUuid(label.uuid);
  return group.physicalVolumes.some((volume) => volume.uuid === uuid);
}

function copiesByGroup(scans: readonly PvScan[]): Map<string, MetadataCopy[]> {
  const groups = new Map<string, MetadataCopy[]>();
  for (const { copy } of scans.flatMap(({ areas }) => areas)) {
    if (copy === null) continue;
    const copies = groups.get(copy.identity.uuid);
    if (copies === undefined) groups.set(copy.identity.uuid, [copy]);
    else copies.push(copy);
  }
  return groups;
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
function checkOwners(scans: readonly PvScan[], groups: readonly { readonly group: VolumeGroup }[]): void {
  for (const scan of scans) {
    const { source } = scan;
    const owners = groups.filter(({ group }) => knows(group, scan));
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
  report: (problem: Problem) => void,
): Member[] {
  const indexes = new Map(scans.map(({ label }, index) => [dashUuid(label.uuid), index]));
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
  for (const scan of scans) {
    const { source, areas } = scan;
    if (groups.some(({ group }) => knows(group, scan))) continue;
    const claimed = areas.find(({ copy }) => copy !== null)?.copy;
    const message =
      claimed === undefined || claimed === null
        ? `${source.name} is a physical volume of no group that is here`
        : `${source.name} no longer belongs to ${claimed.identity.name}: its newest description does not list it`;
    report({ severity: "warning", code: "CEV_NOT_FOUND", message, device: source.name });
  }
}

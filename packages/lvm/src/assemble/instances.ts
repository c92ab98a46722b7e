import { CevError } from "@cev/core";
import type { MetadataCopy, PvScan } from "../disk/scan.ts";
import { derivedUuid } from "../disk/derived-uuid.ts";
import { dashUuid } from "../disk/uuid.ts";
import { isSection } from "../text/writer.ts";
import { splitByPlace } from "./places.ts";
import type { Placed } from "./places.ts";

/** A group, or one of several clones of it, before it is known which copy of its metadata counts. */
export interface GroupInstance {
  readonly uuid: string;
  readonly copies: readonly MetadataCopy[];
  /** Indexes of the devices that carry one of the copies, or that one of them lists. */
  readonly scanIndexes: readonly number[];
}

/**
 * Sorts what was found by groups. Where a physical volume is here more than once, clones of the group are told apart by the places of
 * their devices. Where these do not say which belongs to which, `refuse` gets a `CEV_AMBIGUOUS` with the indexes of the devices.
 */
export function findInstances(
  scans: readonly PvScan[],
  refuse: (error: CevError, scanIndexes: readonly number[]) => void,
): GroupInstance[] {
  const copies = copiesByGroup(scans);
  const instances = [...copies].flatMap(([uuid, found]) => {
    const listed = new Set(found.flatMap(({ copy }) => listedUuids(copy)));
    // What an import of a clone that was cut short had given a new UUID.
    let derived: ReadonlySet<string> | null = null;
    const isDerived = (pvUuid: string): boolean => {
      derived ??= new Set([...listed].map((one) => derivedUuid(one, uuid)));
      return derived.has(pvUuid);
    };
    const carriers = new Set(found.map(({ scanIndex }) => scanIndex));
    const members = scans.flatMap((scan, scanIndex): Placed[] => {
      const pvUuid = dashUuid(scan.label.uuid);
      if (!carriers.has(scanIndex) && !listed.has(pvUuid) && !isDerived(pvUuid)) return [];
      return [{ scanIndex, name: scan.source.name, identity: pvUuid }];
    });
    const isWhole = (one: Placed): boolean =>
      found.some(({ copy, scanIndex }) => scanIndex === one.scanIndex && listedUuids(copy).length === 1);
    const parts = splitByPlace(members, isWhole);
    if (parts === null) {
      refuse(
        ambiguous(members),
        members.map(({ scanIndex }) => scanIndex),
      );
      return [];
    }
    return parts.map((part): GroupInstance => {
      const scanIndexes = part.map(({ scanIndex }) => scanIndex);
      return {
        uuid,
        copies: found.flatMap(({ copy, scanIndex }) => (scanIndexes.includes(scanIndex) ? [copy] : [])),
        scanIndexes,
      };
    });
  });
  return instances.filter(({ copies: own }) => own.length > 0);
}

interface FoundCopy {
  readonly copy: MetadataCopy;
  readonly scanIndex: number;
}

function copiesByGroup(scans: readonly PvScan[]): Map<string, FoundCopy[]> {
  const groups = new Map<string, FoundCopy[]>();
  for (const [scanIndex, { areas }] of scans.entries()) {
    for (const { copy } of areas) {
      if (copy === null) continue;
      const copies = groups.get(copy.identity.uuid);
      if (copies === undefined) groups.set(copy.identity.uuid, [{ copy, scanIndex }]);
      else copies.push({ copy, scanIndex });
    }
  }
  return groups;
}

/** UUIDs of the physical volumes that a text lists; it has not been checked yet. */
function listedUuids({ identity }: MetadataCopy): string[] {
  const group = identity.tree.entries.get(identity.name)?.value;
  const list =
    group !== undefined && isSection(group) ? group.entries.get("physical_volumes")?.value : undefined;
  if (list === undefined || !isSection(list)) return [];
  return [...list.entries.values()].flatMap(({ value }) => {
    const id = isSection(value) ? value.entries.get("id")?.value : undefined;
    return typeof id === "string" ? [id] : [];
  });
}

/** Names two devices of one UUID. */
function ambiguous(members: readonly Placed[]): CevError {
  const first = new Map<string, Placed>();
  for (const member of members) {
    const other = first.get(member.identity);
    if (other !== undefined)
      return new CevError(
        "CEV_AMBIGUOUS",
        `${other.name} and ${member.name} are the same physical volume (UUID ${member.identity})`,
        {
          source: member.name,
          hint:
            "leave one of them out, put the devices of each clone of the group into a folder of their own, " +
            "or give one clone new UUIDs with vgimportclone",
        },
      );
    first.set(member.identity, member);
  }
  return new CevError("CEV_AMBIGUOUS", "devices of clones of one group cannot be told apart");
}

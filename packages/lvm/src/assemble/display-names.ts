import type { Problem } from "@cev/core";
import type { MetadataCopy, PvScan } from "../disk/scan.ts";
import type { VolumeGroup } from "../model/group.ts";
import { namePlaces } from "./places.ts";

/** A group, and which devices are its physical volumes. */
interface Placed {
  readonly copy: MetadataCopy;
  readonly group: VolumeGroup;
  readonly scanIndexes: readonly number[];
}

interface Named extends Placed {
  readonly displayName: string;
}

/** Groups of one name are told apart by the places of their devices, else by their UUIDs. */
export function displayNames(groups: readonly Placed[], scans: readonly PvScan[]): string[] {
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
export function reportClones(
  groups: readonly Named[],
  scans: readonly PvScan[],
  report: (problem: Problem) => void,
): void {
  const reported = new Set<Named>();
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

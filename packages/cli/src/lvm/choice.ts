import { CevError } from "@cev/core";
import { splitVolume } from "./arguments.ts";
import { deviceNamed } from "./device-names.ts";
import type { FoundVolumes } from "./find-groups.ts";
import { whereElse } from "./open-for-change.ts";
import type { GroupView } from "./report/group-view.ts";
import type { FoundGroups, RowChoice } from "./report/rows.ts";

/** Words of a command line that say what is meant. */
export interface ChoiceWords {
  /** "vg0", "vg0/root", "@tag"; none: everything. */
  readonly names: readonly string[];
  /** Physical volumes, or "@tag"; none: all. */
  readonly pvs: readonly string[];
  /** Hidden volumes, too. */
  readonly isAll: boolean;
  /** Volumes are listed, whose own tags count. */
  readonly areVolumes: boolean;
}

/** What a report is to show. What is named has to be there; a tag may be nobody's. */
export function choiceOf(found: FoundVolumes, { groups }: FoundGroups, words: ChoiceWords): RowChoice {
  const tags = words.names.filter(isTag).map(tagOf);
  const named = words.names.filter((word) => !isTag(word)).map(splitVolume);
  for (const { group, volume } of named) checkNamed(found, groups, group, volume);
  const pvTags = words.pvs.filter(isTag).map(tagOf);
  const pvNames = new Set(
    words.pvs.filter((word) => !isTag(word)).map((word) => deviceNamed(found, word).name),
  );
  return {
    isAll: words.isAll || named.some(({ volume }) => volume !== null),
    isWanted: (view, volume) =>
      words.names.length === 0 ||
      named.some(
        (one) =>
          isNamed(view, one.group) && (one.volume === null || volume === null || one.volume === volume),
      ) ||
      hasTag(view, words.areVolumes ? volume : "", tags),
    isPvWanted: ({ found: device, physicalVolume }) =>
      words.pvs.length === 0 ||
      (device !== null && pvNames.has(device.name)) ||
      pvTags.some((tag) => physicalVolume?.tags.includes(tag) === true),
  };
}

const isTag = (word: string): boolean => word.startsWith("@");
const tagOf = (word: string): string => word.slice(1);

/** A group with a tag stands for all its volumes. `volume`: null for any of the group, "" for none. */
function hasTag({ group, listed }: GroupView, volume: string | null, tags: readonly string[]): boolean {
  const volumes = listed.filter(({ name }) => volume === null || name === volume);
  const own = volumes.flatMap((one) => one.tags);
  return tags.some((tag) => group.tags.includes(tag) || own.includes(tag));
}

function checkNamed(
  found: FoundVolumes,
  groups: readonly GroupView[],
  group: string,
  volume: string | null,
): void {
  const views = groups.filter((one) => isNamed(one, group));
  if (views.length === 0 && found.failure !== null) throw found.failure;
  if (views.length === 0)
    throw new CevError("CEV_NOT_FOUND", `there is no volume group ${group} on these devices`, {
      hint: `there ${groups.length > 1 ? "are" : "is"} ${groups.map((one) => one.displayName).join(", ") || "none"}; ${whereElse(found)}`,
    });
  if (volume !== null && views.every((one) => one.volume(volume) === null))
    throw new CevError("CEV_NOT_FOUND", `there is no volume ${volume} in the group ${group}`, {
      hint: "cev lvm lvs -a lists all of them",
    });
}

/** By name or UUID. */
const isNamed = ({ group, displayName }: GroupView, name: string): boolean =>
  [group.name, group.uuid, displayName].includes(name);

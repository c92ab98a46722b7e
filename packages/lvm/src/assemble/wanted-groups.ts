import { CevError } from "@cev/core";
import { show } from "../text/parser.ts";
import type { PvScan } from "../disk/scan.ts";
import type { AssembledGroup } from "./assemble.ts";

/**
 * The groups that a name means: a name, a UUID, or what several of one name are called here ("vg0@backup"); null: all. A place
 * behind an `@` also fits a group that is alone, so that the option stays right without its clones. Throws `CEV_NOT_FOUND` and
 * `CEV_AMBIGUOUS`.
 */
export function wantedGroups(
  groups: readonly AssembledGroup[],
  wanted: string | null,
  scans: readonly PvScan[],
): readonly AssembledGroup[] {
  if (wanted === null) return groups;
  const exact = groups.filter(({ displayName }) => displayName === wanted);
  if (exact.length === 1) return exact;
  const found = groups.filter(
    (one) => one.group.name === wanted || one.group.uuid === wanted || isAt(one, wanted, scans),
  );
  const names = (list: readonly AssembledGroup[]): string =>
    list.map(({ displayName }) => displayName).join(", ") || "none";
  if (found.length === 0)
    throw new CevError("CEV_NOT_FOUND", `there is no volume group ${show(wanted)} on these devices`, {
      hint: `there is ${names(groups)}`,
    });
  if (found.length > 1)
    throw new CevError("CEV_AMBIGUOUS", `${show(wanted)} means several groups: ${names(found)}`, {
      hint: "name the one to open as it is called here",
    });
  return found;
}

function isAt({ group, scanIndexes }: AssembledGroup, wanted: string, scans: readonly PvScan[]): boolean {
  const at = wanted.indexOf("@");
  if (at < 0 || group.name !== wanted.slice(0, at)) return false;
  const place = wanted.slice(at + 1);
  if (group.uuid.startsWith(`${place}-`)) return true;
  const inside = `:${place}:`;
  return (
    scanIndexes.length > 0 &&
    scanIndexes.every((index) => `:${scans[index]!.source.name.replaceAll("/", ":")}:`.includes(inside))
  );
}

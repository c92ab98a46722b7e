import type { VolumeGroup } from "../model/group.ts";
import { checkName, refuse } from "./change.ts";

const RESERVED_STARTS = ["snapshot", "pvmove"];
const RESERVED_PARTS = [
  ...["_cdata", "_cmeta", "_corig", "_cpool", "_cvol", "_imeta", "_iorig", "_mimage", "_mlog", "_pmspare"],
  ...["_rimage", "_rmeta", "_tdata", "_tmeta", "_vdata", "_vorigin", "_wcorig"],
];

/** Throws `CEV_INVALID` for a name that a new volume cannot have: not valid, kept for hidden volumes, or taken. */
export function checkNewName(group: VolumeGroup, name: string): void {
  checkName(name, "logical volume");
  const start = RESERVED_STARTS.find((one) => name.startsWith(one));
  if (start !== undefined)
    refuse(`names starting with "${start}" are reserved: ${name} cannot be used`, "choose another name");
  const part = RESERVED_PARTS.find((one) => name.includes(one));
  if (part !== undefined)
    refuse(`names including "${part}" are reserved: ${name} cannot be used`, "choose another name");
  if (group.logicalVolumes.some((volume) => volume.name === name))
    refuse(
      `the logical volume ${name} already exists in the volume group ${group.name}`,
      "choose another name",
    );
}

/** "lvol3" after lvol0 to lvol2: one more than the highest there is. */
export function nextName(group: VolumeGroup, prefix: string): string {
  const pattern = new RegExp(`^${prefix}(\\d{1,9})`);
  const next = group.logicalVolumes.reduce((high, { name }) => {
    const match = pattern.exec(name);
    return match === null ? high : Math.max(high, Number(match[1]) + 1);
  }, 0);
  return `${prefix}${next}`;
}

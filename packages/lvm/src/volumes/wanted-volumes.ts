import { CevError } from "@cev/core";
import { shownName } from "../assemble/availability.ts";
import type { LogicalVolume, VolumeGroup } from "../model/group.ts";
import { show } from "../text/parser.ts";
import type { Use } from "./uses.ts";

/** A volume that is to be opened. */
export interface WantedVolume {
  readonly volume: LogicalVolume;
  /** What it is called. */
  readonly name: string;
  /** As a part of others, just as its own segments say, and only to be read. */
  readonly isPart: boolean;
}

/** Which volumes of a group are to be opened: all that are visible, or those named in the options. */
export class WantedVolumes {
  readonly list: readonly WantedVolume[];
  readonly #volumes: ReadonlySet<LogicalVolume>;

  /** Throws `CEV_NOT_FOUND` for a name that the group does not have. */
  constructor(
    group: VolumeGroup,
    uses: ReadonlyMap<string, readonly Use[]>,
    names: readonly string[] | null,
  ) {
    const shown = new Map<string, WantedVolume>();
    for (const volume of group.logicalVolumes) {
      // A store has the name that its snapshot is shown by.
      const isStore = uses.get(volume.name)?.some(({ type, kind }) => type === "snapshot" && kind === "part");
      if (volume.isVisible && isStore !== true)
        shown.set(shownName(volume), { volume, name: shownName(volume), isPart: false });
    }
    this.list =
      names === null
        ? [...shown.values()].filter(({ volume }) => isDevice(volume))
        : names.map((name) => shown.get(name) ?? partOf(group, name) ?? notThere(group, shown, name));
    this.#volumes = new Set(this.list.map(({ volume }) => volume));
  }

  includes(volume: LogicalVolume): boolean {
    return this.#volumes.has(volume);
  }
}

/** False for what has a name and no contents of its own: pools, and a snapshot that is on its way into its origin. */
function isDevice({ segments }: LogicalVolume): boolean {
  const mapping = segments[0]?.mapping;
  return mapping?.kind !== "thin-pool" && !(mapping?.kind === "snapshot" && mapping.isMerging);
}

/** Volumes that LVM2 hides, by the names that it gives them; `-cow` is a snapshot's store, `-real` an origin by itself. */
function partOf(group: VolumeGroup, name: string): WantedVolume | null {
  const base = /^(.+)-(?:cow|real)$/.exec(name)?.[1];
  const volume =
    group.logicalVolumes.find((one) => one.name === name) ??
    group.logicalVolumes.find((one) => one.name === base);
  return volume === undefined ? null : { volume, name, isPart: true };
}

function notThere(group: VolumeGroup, shown: ReadonlyMap<string, unknown>, name: string): never {
  throw new CevError("CEV_NOT_FOUND", `the group ${group.name} has no volume ${show(name)}`, {
    hint: `it has ${[...shown.keys()].join(", ") || "none"}`,
  });
}

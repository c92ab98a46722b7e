import { CevError } from "@cev/core";
import type { NamedLayer, OpenContext, OpenedDevice } from "@cev/core";
import type { AssembledGroup } from "../assemble/assemble.ts";
import { groupReadOnlyReason, unknownGroupFlag } from "../assemble/availability.ts";
import { ownPlacesAmongExtents } from "../assemble/own-places.ts";
import type { PvScan } from "../disk/scan.ts";
import type { LvmOptions } from "../options.ts";
import { show } from "../text/parser.ts";
import { groupDetails, volumeDetails } from "./details.ts";
import type { GroupParts } from "./group-parts.ts";
import { MissingParts } from "./missing.ts";
import { openVolume } from "./open-volume.ts";
import { usesOf } from "./uses.ts";
import { VolumeTree } from "./volume-tree.ts";
import { WantedVolumes } from "./wanted-volumes.ts";

/** Makes the volumes of one group. `found`: as indexed by the members. Reports the volumes that cannot be opened. */
export async function openVolumes(
  assembled: AssembledGroup,
  found: { readonly scans: readonly PvScan[]; readonly lowers: readonly NamedLayer[] },
  context: OpenContext<LvmOptions>,
): Promise<OpenedDevice[]> {
  const { group } = assembled;
  const flag = unknownGroupFlag(group);
  if (flag !== null)
    throw new CevError("CEV_UNKNOWN_FEATURE", `the group ${group.name} has the status ${show(flag)}`, {
      source: assembled.copy.source,
      structure: assembled.copy.structure,
      hint: "it is left alone: what that means for its volumes is not known",
    });
  // An engine that is asked for twice, to be looked at and to be used, says everything twice.
  let said: Set<string> | null = new Set();
  const parts = partsOf(assembled, found.lowers, context, (problem) => {
    if (said?.has(problem.message) === true) return;
    said?.add(problem.message);
    context.report(problem);
  });
  const uses = usesOf(group);
  const wanted = new WantedVolumes(group, uses, context.options.volumes);
  const common = { parts, missing: new MissingParts(parts), isWanted: wanted.includes.bind(wanted) };
  const reading = new VolumeTree({ ...common, preview: null });
  const groupReason = groupReadOnlyReason(group) ?? ownPlacesAmongExtents(assembled, found.scans);
  const writing =
    context.isReadOnly || groupReason !== null ? reading : new VolumeTree({ ...common, preview: reading });
  const devices: OpenedDevice[] = [];
  for (const one of wanted.list) {
    const name = `${assembled.displayName}/${one.name}`;
    try {
      const opened = await openVolume(one, { reading, writing, uses, groupReason });
      if (opened.readOnlyReason !== null && !context.isReadOnly)
        context.report({
          severity: "warning",
          code: "CEV_READ_ONLY",
          message: `${name} is opened read-only: ${opened.readOnlyReason}`,
          device: name,
        });
      const { layer, facts } = opened;
      const isReadOnly = !context.isReadOnly && layer.support.write === "none";
      devices.push({
        name,
        layer,
        state: stateOf(facts?.state ?? "", isReadOnly),
        details: volumeDetails(parts, one.volume, facts),
      });
    } catch (error) {
      if (!(error instanceof CevError) || context.options.volumes !== null) throw error;
      // What keeps several from being opened may name another of them.
      const message = error.message.startsWith(name)
        ? error.message
        : `${name} cannot be opened: ${error.message}`;
      context.report({ severity: "error", code: error.code, message, device: name });
    }
  }
  said = null;
  return devices;
}

/** "active, read-only, degraded": in LVM's words first, then in those of the engine that it has not said. */
function stateOf(engine: string, isReadOnly: boolean): string {
  if (engine === "") return isReadOnly ? "active, read-only" : "active";
  const words = ["active", ...(isReadOnly ? ["read-only"] : []), ...engine.split(", ")];
  return [...new Set(words)].join(", ");
}

function partsOf(
  assembled: AssembledGroup,
  lowers: readonly NamedLayer[],
  context: OpenContext<LvmOptions>,
  report: GroupParts["report"],
): GroupParts {
  const { group } = assembled;
  const present = assembled.members.flatMap(({ physicalVolume, scanIndex }) =>
    scanIndex === null ? [] : [{ key: physicalVolume.name, ...lowers[scanIndex]! }],
  );
  return {
    environment: context.environment,
    group,
    name: assembled.displayName,
    volumes: new Map(group.logicalVolumes.map((volume) => [volume.name, volume])),
    physical: new Map(present.map(({ key, layer }) => [key, layer])),
    lowers: present.map(({ layer }) => layer),
    names: new Map(present.map(({ layer, name }) => [layer, name])),
    claimant: { name: `the volume group ${assembled.displayName}` },
    details: groupDetails(assembled, lowers),
    canWriteDegraded: context.canWriteDegraded,
    isForced: context.options.force === true,
    report,
    openWith: context.openWith?.bind(context) ?? null,
  };
}

import { CevError, SegmentMap } from "@cev/core";
import type {
  Claimant,
  Details,
  Layer,
  MappedSegment,
  NamedLayer,
  OpenContext,
  OpenedDevice,
} from "@cev/core";
import type { AssembledGroup } from "../assemble/assemble.ts";
import { GroupAvailability, shownName, unknownGroupFlag } from "../assemble/availability.ts";
import { groupDetails, volumeDetails } from "./details.ts";
import type { LogicalVolume, VolumeGroup } from "../model/group.ts";
import type { LvmOptions } from "../options.ts";
import { show } from "../text/parser.ts";
import { VolumeLayer } from "./volume-layer.ts";

/** What all volumes of a group have in common. */
interface GroupParts {
  readonly group: VolumeGroup;
  /** By name of the physical volume within the metadata; those that are missing are not there. */
  readonly lowers: ReadonlyMap<string, Layer>;
  /** What the user calls each of them. */
  readonly names: ReadonlyMap<Layer, string>;
  readonly claimant: Claimant;
  readonly details: Details;
}

/** Makes the volumes of one group. `lowers`: as indexed by the members. Reports the volumes that cannot be opened. */
export function openVolumes(
  assembled: AssembledGroup,
  lowers: readonly NamedLayer[],
  context: OpenContext<LvmOptions>,
): OpenedDevice[] {
  const { group } = assembled;
  const flag = unknownGroupFlag(group);
  if (flag !== null)
    throw new CevError("CEV_UNKNOWN_FEATURE", `the group ${group.name} has the status ${show(flag)}`, {
      source: assembled.copy.source,
      structure: assembled.copy.structure,
      hint: "it is left alone: what that means for its volumes is not known",
    });
  const availability = new GroupAvailability(assembled);
  const present = assembled.members.flatMap(({ physicalVolume, scanIndex }) =>
    scanIndex === null ? [] : [{ key: physicalVolume.name, ...lowers[scanIndex]! }],
  );
  const parts: GroupParts = {
    group,
    lowers: new Map(present.map(({ key, layer }) => [key, layer])),
    names: new Map(present.map(({ layer, name }) => [layer, name])),
    claimant: { name: `the volume group ${group.name}` },
    details: groupDetails(assembled, lowers),
  };
  const devices: OpenedDevice[] = [];
  for (const volume of wantedVolumes(assembled, context.options)) {
    const name = `${group.name}/${shownName(volume)}`;
    try {
      const answer = availability.of(volume);
      if (!answer.canOpen) throw new CevError(answer.code, `${name} cannot be opened: it ${answer.reason}`);
      const { readOnlyReason } = answer;
      if (readOnlyReason !== null && !context.isReadOnly)
        context.report({
          severity: "warning",
          code: "CEV_READ_ONLY",
          message: `${name} is opened read-only: ${readOnlyReason}`,
          device: name,
        });
      const layer = makeLayer(parts, volume, context.isReadOnly || readOnlyReason !== null);
      devices.push({
        name,
        layer,
        state: readOnlyReason === null ? "active" : "active, read-only",
        details: volumeDetails(parts.details, volume),
      });
    } catch (error) {
      if (!(error instanceof CevError) || context.options.volumes !== null) throw error;
      context.report({ severity: "error", code: error.code, message: error.message, device: name });
    }
  }
  return devices;
}

function wantedVolumes({ group }: AssembledGroup, options: LvmOptions): readonly LogicalVolume[] {
  const visible = group.logicalVolumes.filter(({ isVisible }) => isVisible);
  if (options.volumes === null) return visible;
  return options.volumes.map((name) => {
    const volume = visible.find((candidate) => shownName(candidate) === name);
    if (volume === undefined)
      throw new CevError("CEV_NOT_FOUND", `the group ${group.name} has no volume ${show(name)}`, {
        hint: `it has ${visible.map(shownName).join(", ") || "none"}`,
      });
    return volume;
  });
}

function makeLayer(parts: GroupParts, volume: LogicalVolume, isReadOnly: boolean): VolumeLayer {
  const { group, lowers, claimant } = parts;
  const name = `${group.name}/${volume.name}`;
  const segments = volume.segments.flatMap((segment): MappedSegment[] => {
    const { mapping, startExtent, extentCount } = segment;
    if (mapping.kind !== "striped") return [];
    const areas = mapping.areas.flatMap((area) =>
      area.kind === "physical"
        ? [
            {
              lower: lowers.get(area.physicalVolume.name)!,
              start: area.physicalVolume.dataOffset + area.startExtent * group.extentSize,
            },
          ]
        : [],
    );
    return [
      {
        start: startExtent * group.extentSize,
        length: extentCount * group.extentSize,
        areas,
        stripeSize: mapping.stripeSize,
      },
    ];
  });
  checkSegments(name, segments, parts.names);
  return new VolumeLayer({
    name,
    segments: new SegmentMap(segments),
    isReadOnly,
    claimant,
    description: {
      options: { group: group.uuid, volumes: [volume.name] },
      lowers: [...lowers.values()],
    },
  });
}

/** Checks that segments lie on their devices and keep the alignment that requests to the volume will have. */
function checkSegments(
  name: string,
  segments: readonly MappedSegment[],
  names: ReadonlyMap<Layer, string>,
): void {
  const lowers = new Set(segments.flatMap(({ areas }) => areas.map(({ lower }) => lower)));
  const blockSize = Math.max(...[...lowers].map(({ limits }) => limits.logicalBlockSize));
  for (const { length, areas, stripeSize } of segments) {
    const areaLength = length / areas.length;
    for (const { lower, start } of areas) {
      if (start + areaLength > lower.limits.size)
        throw notOpened(
          name,
          `reaches to byte ${start + areaLength} of ${names.get(lower)}, which ends at ${lower.limits.size}`,
        );
      if (start % lower.limits.logicalBlockSize !== 0 || length % blockSize !== 0)
        throw notOpened(
          name,
          `has extents on ${names.get(lower)} that are not aligned to its blocks of ${blockSize} bytes`,
        );
    }
    if (areas.length > 1 && (areaLength % stripeSize !== 0 || stripeSize % blockSize !== 0))
      throw notOpened(
        name,
        `has stripes of ${stripeSize} bytes, which fit neither its extents nor its blocks`,
      );
  }
}

function notOpened(name: string, reason: string): CevError {
  return new CevError("CEV_BAD_METADATA", `${name} cannot be opened: it ${reason}`);
}

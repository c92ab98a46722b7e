import { CevError } from "@cev/core";
import type { Claimant, Details, Json, NamedLayer, OpenContext, OpenedDevice } from "@cev/core";
import type { AssembledGroup, Member } from "./assemble.ts";
import { GroupAvailability, unknownGroupFlag } from "./availability.ts";
import type { LogicalVolume } from "./metadata.ts";
import type { LvmOptions } from "./options.ts";
import { SegmentMap } from "./segments.ts";
import type { MappedSegment } from "./segments.ts";
import { show } from "./text-parser.ts";
import { VolumeLayer } from "./volume-layer.ts";

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
  const claimant: Claimant = { name: `the volume group ${group.name}` };
  const devices: OpenedDevice[] = [];
  for (const volume of wantedVolumes(assembled, context.options)) {
    const name = `${group.name}/${volume.name}`;
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
      const layer = makeLayer(
        assembled,
        volume,
        lowers,
        claimant,
        context.isReadOnly || readOnlyReason !== null,
      );
      devices.push({
        name,
        layer,
        state: layer.support.write === "none" ? "active, read-only" : "active",
        details: volumeDetails(assembled, volume, lowers),
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
    const volume = visible.find((candidate) => candidate.name === name);
    if (volume === undefined)
      throw new CevError("CEV_NOT_FOUND", `the group ${group.name} has no volume ${show(name)}`, {
        hint: `it has ${visible.map((candidate) => candidate.name).join(", ") || "none"}`,
      });
    return volume;
  });
}

function makeLayer(
  assembled: AssembledGroup,
  volume: LogicalVolume,
  lowers: readonly NamedLayer[],
  claimant: Claimant,
  isReadOnly: boolean,
): VolumeLayer {
  const { group, members } = assembled;
  const layers = new Map(
    members.flatMap(({ physicalVolume, scanIndex }) =>
      scanIndex === null ? [] : [[physicalVolume.name, lowers[scanIndex]!] as const],
    ),
  );
  const segments = volume.segments.flatMap((segment): MappedSegment[] => {
    const { mapping } = segment;
    if (mapping.kind === "unknown") return [];
    const areas = mapping.areas.map(({ physicalVolume, startExtent, extentCount }) => {
      const { name, layer } = layers.get(physicalVolume.name)!;
      const start = physicalVolume.dataOffset + startExtent * group.extentSize;
      const length = extentCount * group.extentSize;
      checkArea({ name: `${group.name}/${volume.name}`, lower: name }, { start, length }, layer.limits);
      return { lower: layer, start };
    });
    checkStripes(`${group.name}/${volume.name}`, mapping.stripeSize, areas.length, {
      length: (segment.extentCount * group.extentSize) / areas.length,
      blockSize: Math.max(...areas.map(({ lower }) => lower.limits.logicalBlockSize)),
    });
    return [
      {
        start: segment.startExtent * group.extentSize,
        length: segment.extentCount * group.extentSize,
        areas,
        stripeSize: mapping.stripeSize,
      },
    ];
  });
  return new VolumeLayer({
    name: `${group.name}/${volume.name}`,
    segments: new SegmentMap(segments),
    isReadOnly,
    claimant,
    description: {
      options: { group: group.uuid, volumes: [volume.name] },
      lowers: [...layers.values()].map(({ layer }) => layer),
    },
  });
}

function checkArea(
  names: { readonly name: string; readonly lower: string },
  area: { readonly start: number; readonly length: number },
  limits: { readonly size: number; readonly logicalBlockSize: number },
): void {
  if (area.start + area.length > limits.size)
    throw new CevError(
      "CEV_BAD_METADATA",
      `${names.name} cannot be opened: it reaches to byte ${area.start + area.length} of ${names.lower}, ` +
        `which ends at ${limits.size}`,
    );
  if (area.start % limits.logicalBlockSize !== 0 || area.length % limits.logicalBlockSize !== 0)
    throw new CevError(
      "CEV_BAD_METADATA",
      `${names.name} cannot be opened: its extents on ${names.lower} are not aligned to the blocks of ` +
        `${limits.logicalBlockSize} bytes there`,
    );
}

function checkStripes(
  name: string,
  stripeSize: number,
  areaCount: number,
  area: { readonly length: number; readonly blockSize: number },
): void {
  if (areaCount === 1) return;
  if (area.length % stripeSize !== 0 || stripeSize % area.blockSize !== 0)
    throw new CevError(
      "CEV_BAD_METADATA",
      `${name} cannot be opened: its stripes of ${stripeSize} bytes fit neither extents nor blocks`,
    );
}

/** What is known of a group, for people and `--json`. */
export function groupDetails(
  { group, members }: AssembledGroup,
  lowers: readonly { readonly name: string }[],
): Details {
  return {
    name: group.name,
    uuid: group.uuid,
    seqno: group.seqno,
    extentSize: group.extentSize,
    status: group.status,
    tags: group.tags,
    physicalVolumes: members.map((member) => memberDetails(member, lowers)),
  };
}

function memberDetails(
  { physicalVolume, scanIndex, state }: Member,
  lowers: readonly { readonly name: string }[],
): Json {
  return {
    name: physicalVolume.name,
    uuid: physicalVolume.uuid,
    device: scanIndex === null ? null : lowers[scanIndex]!.name,
    state,
    extentCount: physicalVolume.extentCount,
  };
}

function volumeDetails(
  assembled: AssembledGroup,
  volume: LogicalVolume,
  lowers: readonly { readonly name: string }[],
): Details {
  return {
    group: groupDetails(assembled, lowers),
    uuid: volume.uuid,
    status: volume.status,
    tags: volume.tags,
    segments: volume.segments.map(({ type, startExtent, extentCount, mapping }) => ({
      type,
      startExtent,
      extentCount,
      areas:
        mapping.kind === "striped"
          ? mapping.areas.map(({ physicalVolume, startExtent: start }) => ({
              physicalVolume: physicalVolume.name,
              startExtent: start,
            }))
          : [],
    })),
  };
}

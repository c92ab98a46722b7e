import { CevError } from "@cev/core";
import type { Layer, MappedArea } from "@cev/core";
import type { LogicalVolume } from "../model/group.ts";
import type { RaidMapping, RaidMember } from "../model/mappings.ts";
import { notOpened } from "./check-segments.ts";
import { openEngine } from "./engine.ts";
import type { EngineLower } from "./engine.ts";
import type { SegmentAreas, SegmentPlan } from "./segment-parts.ts";
import type { VolumeTree } from "./volume-tree.ts";

/** Makes the layer below a RAID segment: stripes for RAID0, which has no redundancy to keep, else an array by its engine. */
export async function raidLayer(
  tree: VolumeTree,
  volume: LogicalVolume,
  { segment, mapping, path }: SegmentPlan<RaidMapping>,
): Promise<SegmentAreas> {
  if (mapping.hindrance !== null)
    throw new CevError(
      "CEV_UNKNOWN_FEATURE",
      `${tree.nameOf(volume)} cannot be opened: it ${mapping.hindrance}`,
    );
  return segment.type === "raid0" || segment.type === "raid0_meta"
    ? stripes(tree, { segment, mapping, path })
    : array(tree, volume, { segment, mapping, path });
}

async function stripes(tree: VolumeTree, { mapping, path }: SegmentPlan<RaidMapping>): Promise<SegmentAreas> {
  const areas: MappedArea[] = [];
  for (const { data } of mapping.members)
    areas.push({ lower: await tree.layerOf(tree.volume(data), path), start: 0 });
  return { areas, stripeSize: areas.length === 1 ? 0 : mapping.stripeSize };
}

async function array(
  tree: VolumeTree,
  volume: LogicalVolume,
  { segment, mapping, path }: SegmentPlan<RaidMapping>,
): Promise<SegmentAreas> {
  const name = tree.nameOf(volume);
  const { extentSize } = tree.parts.group;
  const sizes = memberSizes(tree, volume, mapping);
  const members: (number | null)[] = [];
  const lowers: EngineLower[] = [];
  for (const member of mapping.members) {
    if (isMissing(tree, member)) {
      members.push(null);
      continue;
    }
    members.push(lowers.length);
    lowers.push(
      await tree.previewed(`${tree.parts.group.name}/${member.data}`, (one) => joined(one, member, path)),
    );
  }
  if (lowers.length === 0)
    throw new CevError("CEV_DEGRADED", `${name} cannot be opened: all its members are missing`);
  const rebuild = mapping.members.flatMap((member, index) =>
    members[index] !== null && isToBeRebuilt(tree, member) ? [index] : [],
  );
  const [device] = await openEngine(tree.parts, {
    driver: "@cev/raid",
    what: name,
    options: {
      dmRaid: {
        name,
        type: segment.type,
        memberCount: mapping.members.length,
        members,
        ...(mapping.stripeSize === 0 ? {} : { chunkSize: mapping.stripeSize }),
        regionSize: mapping.regionSize,
        metadataSize: sizes.metadata,
        memberSize: sizes.data,
        size: segment.extentCount * extentSize,
        ...(mapping.copyCount === 0 ? {} : { copies: mapping.copyCount }),
        ...(rebuild.length === 0 ? {} : { rebuild }),
        ...(volume.status.includes("NOTSYNCED") ? { nosync: true } : {}),
      },
      ...(tree.parts.isForced ? { force: true } : {}),
    },
    lowers,
    deviceCount: 1,
  });
  tree.note(volume, device!);
  return { areas: [{ lower: device!.layer, start: 0 }], stripeSize: 0 };
}

/** Bytes of the parts of each member, which are alike. */
function memberSizes(
  tree: VolumeTree,
  volume: LogicalVolume,
  { members }: RaidMapping,
): { readonly metadata: number; readonly data: number } {
  const { extentSize } = tree.parts.group;
  const sizes = members.map(({ meta, data }) => ({
    metadata: meta === null ? 0 : tree.volume(meta).extentCount * extentSize,
    data: tree.volume(data).extentCount * extentSize,
  }));
  const [first] = sizes;
  if (first === undefined) throw notOpened(tree.nameOf(volume), "has no members");
  for (const { metadata, data } of sizes)
    if (metadata !== first.metadata || data !== first.data)
      throw notOpened(tree.nameOf(volume), "has members of different sizes");
  return first;
}

/**
 * True for a member without which the array is to do: it lies on a physical volume that is not there, LVM2 has put errors
 * in its place, or it was taken out for a while (visible and read-only).
 */
function isMissing(tree: VolumeTree, { meta, data }: RaidMember): boolean {
  return [meta, data].some((name) => {
    if (name === null) return false;
    const part = tree.volume(name);
    return (
      tree.missing.of(part) !== null ||
      part.segments.every(({ mapping }) => mapping.kind === "error") ||
      (part.isVisible && !part.isWritable)
    );
  });
}

/** True for a member that LVM2 wants to be rebuilt from the others, whatever it holds. */
function isToBeRebuilt(tree: VolumeTree, { meta, data }: RaidMember): boolean {
  return [meta, data].some((name) => name !== null && tree.volume(name).status.includes("REBUILD"));
}

/** A member as its engine takes it: its superblock and bitmap, behind them its data. */
async function joined(
  tree: VolumeTree,
  { meta, data }: RaidMember,
  path: readonly LogicalVolume[],
): Promise<Layer> {
  const image = tree.volume(data);
  const first = meta === null ? [] : await tree.segmentsOf(tree.volume(meta), path);
  const start = first.reduce((sum, { length }) => sum + length, 0);
  const second = await tree.segmentsOf(image, path);
  return tree.layerOver(image, [
    ...first,
    ...second.map((segment) => ({ ...segment, start: start + segment.start })),
  ]);
}

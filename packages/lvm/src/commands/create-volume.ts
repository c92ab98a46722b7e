import { allocate } from "../allocate/allocate.ts";
import type { Policy } from "../allocate/allocate.ts";
import { freeCount, freeRanges } from "../allocate/free-space.ts";
import { findPlaces } from "../allocate/places.ts";
import type { Place } from "../allocate/places.ts";
import { extentsOf, parseAmount, parsePlainSize, shareOf } from "../allocate/sizes.ts";
import type { Amount } from "../allocate/sizes.ts";
import type { LogicalVolume, VolumeGroup } from "../model/group.ts";
import type { Segment } from "../model/segments.ts";
import { allocationText, changeTags, newSegment, newVolume, plainChange, refuse } from "./change.ts";
import type { ChangeInputs, GroupChange } from "./change.ts";
import { createSnapshot } from "./create-snapshot.ts";
import { EXTENTS_MAX, appendAreas, fillStart } from "./extents.ts";
import type { AllocationPolicy, LvCreateRequest } from "./request.ts";
import { checkNewName, nextName } from "./volume-names.ts";
import type { VolumeTree } from "./volume-tree.ts";

const STRIPE_SIZE = 65_536;
const STRIPE_SIZE_MIN = 4096;
const STRIPES_MAX = 128;
/** What LVM2 wipes of a new volume, so that nobody takes what lay there before for its contents. */
const ZERO_LENGTH = 4096;

/** `lvcreate`: a linear, striped, error or zero volume, or a snapshot. Throws `CEV_INVALID` and `CEV_NO_SPACE`. */
export function createVolume(
  group: VolumeGroup,
  request: LvCreateRequest,
  inputs: ChangeInputs,
): GroupChange {
  checkVolumeCount(group);
  const name = request.name ?? nextName(group, "lvol");
  checkNewName(group, name);
  if (request.snapshotOf !== undefined || request.type === "snapshot")
    return createSnapshot(group, { ...request, name }, inputs);
  const status = request.permission === "r" ? ["READ", "VISIBLE"] : ["READ", "WRITE", "VISIBLE"];
  const allocation = allocationText(request.alloc, "inherit");
  const rest = { status, tags: changeTags([], { addTags: request.tags }), allocation };
  const { segments, messages } = makeSegments(group, request, inputs);
  const volume = newVolume(name, segments, inputs, rest);
  const fills =
    segments[0]?.mapping.kind === "striped" && mustZero(request, volume)
      ? fillStart(group, volume, new Uint8Array(ZERO_LENGTH), `zeroes for ${name}`)
      : [];
  return {
    ...plainChange({ ...group, logicalVolumes: [...group.logicalVolumes, volume] }, [
      ...messages,
      `Logical volume "${name}" created.`,
    ]),
    warnings:
      fills.length > 0 || segments[0]?.mapping.kind !== "striped"
        ? []
        : [`the logical volume ${group.name}/${name} is not zeroed: it begins with what lay there before`],
    fills,
  };
}

/** A volume that is never to be written keeps what lies there, unless zeroes are asked for. */
function mustZero({ zero }: LvCreateRequest, { isWritable }: LogicalVolume): boolean {
  return zero ?? isWritable;
}

function checkVolumeCount(group: VolumeGroup): void {
  const { logicalVolumesMax } = group;
  if (logicalVolumesMax > 0 && countVolumes(group) >= logicalVolumesMax)
    refuse(
      `the maximum number of logical volumes (${logicalVolumesMax}) is reached in the volume group ${group.name}`,
      "see vgchange --maxlogicalvolumes",
    );
}

/** How many volumes users see. */
export function countVolumes(group: VolumeGroup): number {
  return group.logicalVolumes.filter(({ isVisible }) => isVisible).length;
}

function makeSegments(
  group: VolumeGroup,
  request: LvCreateRequest,
  inputs: ChangeInputs,
): { readonly segments: readonly Segment[]; readonly messages: readonly string[] } {
  const { type } = request;
  const amount = parseAmount(request.size, request.extents);
  if (amount.sign !== "") refuse("the size of a new volume has no sign");
  if (type === "error" || type === "zero") {
    if (amount.kind === "share") refuse(`a volume of the type ${type} takes no share of the group`);
    const count = amount.kind === "bytes" ? extentsOf(amount.bytes, group) : amount.extentCount;
    checkCount(count);
    return { segments: [newSegment(type, 0, count, { kind: type })], messages: [] };
  }
  const stripes = checkStripes(request.stripes ?? 1);
  if (type === "striped" && stripes === 1) refuse("a striped volume has two stripes or more");
  if (type === "linear" && stripes > 1) refuse("a linear volume has one stripe");
  const messages: string[] = [];
  const stripeSize = chooseStripeSize(group, stripes, request.stripeSize, messages);
  const places = findPlaces(group, request.places, inputs.names);
  const policy = policyOf(group, request.alloc, null);
  if (policy !== "anywhere" && stripes > places.length)
    refuse(
      `the number of stripes (${stripes}) must not exceed the number of physical volumes (${places.length})`,
      "the policy anywhere puts several on one",
    );
  const share = sizeOfNew(group, amount, places, hasPlaces(request));
  const extentCount = roundToStripes(group, share, stripes, amount.kind === "share", messages);
  checkCount(extentCount);
  const found = allocate({
    places,
    policy,
    areaCount: stripes,
    extentCount: extentCount / stripes,
    previous: null,
    isApproximate: amount.kind === "share",
  });
  return { segments: appendAreas([], found, stripeSize), messages };
}

/** Throws `CEV_INVALID` unless a volume can have so many extents. */
export function checkCount(extentCount: number): void {
  if (extentCount < 1) refuse("the size is 0 extents; it must be larger");
  if (extentCount > EXTENTS_MAX) refuse(`${extentCount} extents are more than a volume can have`);
}

/** Throws `CEV_INVALID` for a number of stripes that LVM2 does not take. */
export function checkStripes(stripes: number): number {
  if (Number.isInteger(stripes) && stripes >= 1 && stripes <= STRIPES_MAX) return stripes;
  return refuse(`${stripes} is no number of stripes: it lies between 1 and ${STRIPES_MAX}`);
}

/** In bytes; 0 with one stripe. */
export function chooseStripeSize(
  { extentSize }: VolumeGroup,
  stripes: number,
  text: number | string | undefined,
  messages: string[],
): number {
  if (stripes === 1) return 0;
  const size = text === undefined ? STRIPE_SIZE : parsePlainSize(text, "the stripe size");
  if (!(size >= STRIPE_SIZE_MIN && size < 2 ** 40 && Number.isInteger(Math.log2(size))))
    refuse(`${size} bytes are no stripe size: it is a power of 2 and at least ${STRIPE_SIZE_MIN}`);
  if (size <= extentSize) return size;
  if (extentSize < STRIPE_SIZE_MIN || !Number.isInteger(Math.log2(extentSize)))
    refuse(`with extents of ${extentSize} bytes the stripe size cannot be ${size}`);
  messages.push(`Reducing requested stripe size ${size} to the maximum, the extent size ${extentSize}.`);
  return extentSize;
}

/** The policy that holds: of the request, else of the volume, else of the group, else normal. */
export function policyOf(
  group: VolumeGroup,
  asked: AllocationPolicy | undefined,
  volume: LogicalVolume | null,
): Policy {
  for (const text of [asked, volume?.allocation, group.allocation]) {
    if (text === undefined || text === "" || text === "inherit") continue;
    if (text === "cling_by_tags") return "cling";
    if (text === "contiguous" || text === "cling" || text === "normal" || text === "anywhere") return text;
    refuse(
      `the allocation policy ${JSON.stringify(text)} is not known`,
      "name one: contiguous, cling, normal or anywhere",
    );
  }
  return "normal";
}

function sizeOfNew(group: VolumeGroup, amount: Amount, places: readonly Place[], isPlaced: boolean): number {
  if (amount.kind === "bytes") return extentsOf(amount.bytes, group);
  if (amount.kind === "extents") return amount.extentCount;
  const total = group.physicalVolumes.reduce((sum, { extentCount }) => sum + extentCount, 0);
  const free = freeExtents(group);
  switch (amount.of) {
    case "VG":
      return Math.min(shareOf(amount.percent, total, "down"), free);
    case "FREE":
      return shareOf(amount.percent, free, "down");
    case "PVS":
      return shareOf(amount.percent, isPlaced ? sumFree(places) : total, "down");
    case "ORIGIN":
    case "LV":
      return refuse(`a new volume has no ${amount.of} to take a share of`, "use %FREE, %PVS or %VG");
  }
}

/** How many extents of the group are free. */
export function freeExtents(group: VolumeGroup): number {
  return [...freeRanges(group).values()].reduce((sum, ranges) => sum + freeCount(ranges), 0);
}

/** True where the request says where new extents may lie. */
export function hasPlaces({ places }: { readonly places?: readonly string[] | undefined }): boolean {
  return (places ?? []).length > 0;
}

/** How many extents of some places are free. */
export function sumFree(places: readonly Place[]): number {
  return places.reduce((sum, { free }) => sum + freeCount(free), 0);
}

function roundToStripes(
  group: VolumeGroup,
  extentCount: number,
  stripes: number,
  isShare: boolean,
  messages: string[],
): number {
  const rest = extentCount % stripes;
  if (rest === 0) return extentCount;
  const up = extentCount - rest + stripes;
  const rounded = isShare && freeExtents(group) < up ? extentCount - rest : up;
  messages.push(`Rounding size (${extentCount} extents) to the stripe boundary (${rounded} extents).`);
  return rounded;
}

/** Throws `CEV_INVALID` where a volume cannot be the origin of a classic snapshot. */
export function checkOrigin(tree: VolumeTree, origin: LogicalVolume): void {
  const { name } = origin;
  if (tree.snapshotOf(name) !== null) refuse("snapshots of snapshots are not supported", "name the origin");
  if (tree.snapshotsOf(name).some(({ mapping }) => mapping.isMerging))
    refuse(`a snapshot is being merged into ${name}`, "finish that first, with lvconvert --merge");
  for (const { mapping } of origin.segments) {
    if (mapping.kind === "thin" || mapping.kind === "thin-pool")
      refuse(
        `${name} is ${mapping.kind === "thin" ? "a thin volume" : "a thin pool"}: it has no classic snapshots`,
      );
    if (mapping.kind === "unknown") refuse(`${name} ${mapping.reason}`, "use LVM2 itself on this volume");
  }
}

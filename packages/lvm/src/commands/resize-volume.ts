import { CevError } from "@cev/core";
import { allocate } from "../allocate/allocate.ts";
import { findPlaces } from "../allocate/places.ts";
import type { Place } from "../allocate/places.ts";
import { extentsOf, parseAmount, shareOf } from "../allocate/sizes.ts";
import type { Amount } from "../allocate/sizes.ts";
import type { LogicalVolume, VolumeGroup } from "../model/group.ts";
import type { PhysicalArea, StripedMapping } from "../model/mappings.ts";
import type { Segment } from "../model/segments.ts";
import { newSegment, plainChange, refuse, withSegments, withVolume } from "./change.ts";
import type { ChangeInputs, GroupChange } from "./change.ts";
import { storeExtentsMax } from "./create-snapshot.ts";
import {
  checkCount,
  checkStripes,
  chooseStripeSize,
  freeExtents,
  hasPlaces,
  policyOf,
  sumFree,
} from "./create-volume.ts";
import { appendAreas, cutSegments } from "./extents.ts";
import type { LvResizeRequest } from "./request.ts";
import { VolumeTree } from "./volume-tree.ts";

/**
 * `lvextend`, `lvreduce`, `lvresize` of volumes on physical volumes, of error and zero volumes and of the stores of snapshots.
 * Throws `CEV_INVALID`, `CEV_NO_SPACE`, and `CEV_NOT_SUPPORTED` for what only LVM2 can resize.
 */
export function resizeVolume(
  group: VolumeGroup,
  request: LvResizeRequest,
  inputs: ChangeInputs,
): GroupChange {
  const tree = new VolumeTree(group);
  const volume = tree.find(request.volume);
  checkResizable(tree, volume);
  const plan = new Resizing(tree, volume, request, inputs);
  const wanted = plan.wantedExtents();
  checkCount(wanted);
  const { extentCount } = volume;
  if (wanted === extentCount)
    return refuse(`the new size (${wanted} extents) matches the existing size (${extentCount} extents)`);
  if (request.command === "lvextend" && wanted < extentCount)
    refuse(`the new size (${wanted} extents) is not larger than the existing size (${extentCount} extents)`);
  if (request.command === "lvreduce" && wanted > extentCount)
    refuse(`the new size (${wanted} extents) is not less than the existing size (${extentCount} extents)`);
  return wanted > extentCount ? plan.extend(wanted) : plan.reduce(wanted);
}

/** Types that cannot be resized here, each with what to do. */
function checkResizable(tree: VolumeTree, volume: LogicalVolume): void {
  const { name } = volume;
  const snapshot = tree.snapshotOf(name);
  if (snapshot?.mapping.isMerging === true)
    refuse(
      `${name} is being merged into ${snapshot.mapping.origin}`,
      "finish that first, with lvconvert --merge",
    );
  if (tree.snapshotsOf(name).some(({ mapping }) => mapping.isMerging))
    refuse(`a snapshot is being merged into ${name}`, "finish that first, with lvconvert --merge");
  if (tree.thinUsersOf(name).length > 0 && !isThinPool(volume))
    refuse(`${name} is the external origin of a thin volume and keeps its size`);
  for (const { mapping, type } of volume.segments) {
    if (mapping.kind === "unknown")
      throw new CevError("CEV_UNKNOWN_FEATURE", `${name} ${mapping.reason}`, {
        hint: "use LVM2 itself on this volume",
      });
    const isPlain = mapping.kind === "striped" && mapping.areas.every(({ kind }) => kind === "physical");
    if (isPlain || mapping.kind === "error" || mapping.kind === "zero") continue;
    throw new CevError("CEV_NOT_SUPPORTED", `${name} is of the type ${type}, which is not resized here`, {
      hint:
        mapping.kind === "thin" || mapping.kind === "thin-pool"
          ? "use LVM2 itself: the pool keeps the size of its volumes in metadata of its own"
          : "use LVM2 itself, which synchronizes what is added; or make a new volume and copy",
    });
  }
}

function isThinPool({ segments }: LogicalVolume): boolean {
  return segments.some(({ mapping }) => mapping.kind === "thin-pool");
}

interface Stripes {
  readonly count: number;
  readonly size: number;
}

/** One change of a volume's size. */
class Resizing {
  readonly #tree: VolumeTree;
  readonly #group: VolumeGroup;
  readonly #volume: LogicalVolume;
  readonly #request: LvResizeRequest;
  readonly #places: readonly Place[];
  readonly #amount: Amount;
  readonly #messages: string[] = [];

  constructor(tree: VolumeTree, volume: LogicalVolume, request: LvResizeRequest, inputs: ChangeInputs) {
    this.#tree = tree;
    this.#group = tree.group;
    this.#volume = volume;
    this.#request = request;
    this.#places = findPlaces(this.#group, request.places, inputs.names);
    // With places and no size LVM2 takes all that is free there.
    const isAll =
      request.size === undefined &&
      request.extents === undefined &&
      request.command !== "lvreduce" &&
      hasPlaces(request);
    const amount = parseAmount(request.size, isAll ? "+100%PVS" : request.extents);
    if (request.command === "lvextend" && amount.sign === "-") refuse("lvextend takes nothing away");
    if (request.command === "lvreduce" && amount.sign === "+") refuse("lvreduce adds nothing");
    this.#amount = amount;
  }

  /** The new size in extents, rounded to whole stripes. */
  wantedExtents(): number {
    const { extentCount } = this.#volume;
    const { sign } = this.#amount;
    const amount = this.#amountExtents();
    if (sign === "-" && amount >= extentCount)
      refuse(`${this.#volume.name} cannot be reduced below 1 extent: it has ${extentCount}`);
    const wanted = sign === "" ? amount : extentCount + (sign === "+" ? amount : -amount);
    const bounded = wanted > extentCount ? this.#boundStore(wanted) : wanted;
    return bounded > extentCount ? this.#roundUp(bounded) : this.#roundToward(bounded);
  }

  extend(wanted: number): GroupChange {
    const { segments, extentCount } = this.#volume;
    const last = segments.at(-1);
    const added = wanted - extentCount;
    if (last !== undefined && (last.mapping.kind === "error" || last.mapping.kind === "zero"))
      return this.#done(extendVirtual(segments, added), wanted);
    const { count, size } = this.#stripes();
    const found = allocate({
      places: this.#places,
      policy: policyOf(this.#group, this.#request.alloc, this.#volume),
      areaCount: count,
      extentCount: added / count,
      previous: last?.mapping.kind === "striped" ? physicalOf(last.mapping) : null,
      isApproximate: this.#amount.kind === "share",
    });
    const longer = appendAreas(segments, found, size);
    return this.#done(longer, withSegments(this.#volume, longer).extentCount);
  }

  reduce(wanted: number): GroupChange {
    const { name, segments, extentCount } = this.#volume;
    if (this.#tree.snapshotsOf(name).length > 0)
      refuse("snapshot origin volumes cannot be reduced in size", "remove or merge the snapshots first");
    // How much of it is in use stands in the store alone; one that is cut keeps the origin from being opened, too.
    if (this.#tree.snapshotOf(name) !== null)
      refuse(
        `the store of the snapshot ${name} cannot be reduced: what lies behind the new end may be in use`,
        "remove the snapshot, and make one of the size that is wanted",
      );
    if (this.#request.force !== true)
      refuse(
        `reducing ${name} from ${extentCount} to ${wanted} extents loses what lies behind the new end`,
        "shrink what is on it first; force does it",
      );
    return this.#done(cutSegments(segments, wanted), wanted);
  }

  #done(segments: readonly Segment[], extentCount: number): GroupChange {
    const { name } = this.#volume;
    const changed = withSegments(this.#volume, segments);
    return plainChange(withVolume(this.#group, changed), [
      ...this.#messages,
      `Size of logical volume ${this.#group.name}/${name} changed from ${this.#volume.extentCount} to ${extentCount} extents.`,
      `Logical volume ${this.#group.name}/${name} successfully resized.`,
    ]);
  }

  #amountExtents(): number {
    const amount = this.#amount;
    if (amount.kind === "bytes") return extentsOf(amount.bytes, this.#group, amount.sign);
    if (amount.kind === "extents") return amount.extentCount;
    const { percent, of, sign } = amount;
    const round = sign === "-" ? "down" : "up";
    const total = this.#group.physicalVolumes.reduce((sum, one) => sum + one.extentCount, 0);
    const own = this.#volume.extentCount;
    switch (of) {
      case "VG": {
        const share = shareOf(percent, total, round);
        return sign === "" ? Math.min(share, own + freeExtents(this.#group)) : share;
      }
      case "FREE":
        return shareOf(percent, freeExtents(this.#group), round);
      case "PVS":
        return shareOf(percent, !hasPlaces(this.#request) ? total : sumFree(this.#places), round);
      case "LV":
        return shareOf(percent, own, round);
      case "ORIGIN": {
        const origin = this.#tree.get(this.#tree.snapshotOf(this.#volume.name)?.mapping.origin ?? "");
        if (origin === null) return refuse(`${this.#volume.name} has no origin to take a share of`);
        return shareOf(percent, origin.extentCount, round);
      }
    }
  }

  /** A store larger than all it could ever hold is of no use. */
  #boundStore(wanted: number): number {
    const snapshot = this.#tree.snapshotOf(this.#volume.name);
    const origin = snapshot === null ? null : this.#tree.get(snapshot.mapping.origin);
    if (snapshot === null || origin === null) return wanted;
    const most = storeExtentsMax(this.#group, origin.extentCount, snapshot.mapping.chunkSize);
    if (wanted <= most) return wanted;
    this.#messages.push(`Reached maximum COW size (${most} extents).`);
    return Math.max(most, this.#volume.extentCount);
  }

  #stripes(): Stripes {
    const { stripes, stripeSize } = this.#request;
    const known = this.#volume.segments.flatMap(({ mapping }) =>
      mapping.kind === "striped" ? [{ count: mapping.areas.length, size: mapping.stripeSize }] : [],
    );
    const last = known.at(-1) ?? { count: 1, size: 0 };
    const isMixed = known.some(({ count }) => count !== last.count);
    if (isMixed && stripes === undefined)
      refuse(
        `the segments of ${this.#volume.name} have different numbers of stripes`,
        "give the number of stripes, and the stripe size",
      );
    const count = stripes === undefined ? last.count : checkStripes(stripes);
    if (stripeSize === undefined && count === last.count) return last;
    return { count, size: chooseStripeSize(this.#group, count, stripeSize, this.#messages) };
  }

  #roundUp(wanted: number): number {
    const last = this.#volume.segments.at(-1)?.mapping;
    if (last?.kind === "error" || last?.kind === "zero") return wanted;
    const { count } = this.#stripes();
    const added = wanted - this.#volume.extentCount;
    const rest = added % count;
    if (rest === 0) return wanted;
    const up = wanted - rest + count;
    const isShort = this.#amount.kind === "share" && freeExtents(this.#group) < up - this.#volume.extentCount;
    const rounded = isShort ? wanted - rest : up;
    this.#messages.push(`Rounding size (${wanted} extents) to the stripe boundary (${rounded} extents).`);
    return rounded;
  }

  /** The end comes to lie between whole stripes of its segment, rather too late than too early. */
  #roundToward(wanted: number): number {
    const segment = this.#volume.segments.findLast(({ startExtent }) => startExtent < wanted);
    if (segment?.mapping.kind !== "striped") return wanted;
    const count = segment.mapping.areas.length;
    const rest = (wanted - segment.startExtent) % count;
    if (rest === 0) return wanted;
    const rounded = wanted - rest + count;
    this.#messages.push(`Rounding size (${wanted} extents) up to the stripe boundary (${rounded} extents).`);
    return rounded;
  }
}

function physicalOf({ areas }: StripedMapping): readonly PhysicalArea[] {
  return areas.filter((area): area is PhysicalArea => area.kind === "physical");
}

/** Error and zero volumes lie nowhere: their last segment becomes longer. */
function extendVirtual(segments: readonly Segment[], added: number): readonly Segment[] {
  const last = segments.at(-1)!;
  if (last.tags.length > 0)
    return [...segments, newSegment(last.type, last.startExtent + last.extentCount, added, last.mapping)];
  return [...segments.slice(0, -1), { ...last, extentCount: last.extentCount + added }];
}

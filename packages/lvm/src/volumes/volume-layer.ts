import {
  CompoundIoPool,
  LayerBase,
  Op,
  READ_ONLY_SUPPORT,
  allMustSucceed,
  assert,
  combineLimits,
  combineSupport,
  concatenate,
  refuse,
} from "@cev/core";
import type {
  Claim,
  Claimant,
  Collation,
  CompoundIo,
  Io,
  Json,
  Layer,
  LayerDescription,
  Limits,
  Support,
} from "@cev/core";
import { placeInStripes, rangeOnStripe, volumeOffset } from "./segment-map.ts";
import type { MappedSegment, SegmentMap } from "./segment-map.ts";

/** What a `VolumeLayer` is made of. */
export interface VolumeOptions {
  /** "vg0/root". */
  readonly name: string;
  readonly segments: SegmentMap;
  readonly isReadOnly: boolean;
  /** Claims the physical volumes: the same for all volumes of a group, so that they can share them. */
  readonly claimant: Claimant;
  /** For `describe`: the driver's options that lead to this volume, and the devices to open with them. */
  readonly description: {
    readonly options: { readonly [key: string]: Json };
    readonly lowers: readonly Layer[];
  };
}

/** A logical volume of linear and striped segments over physical volumes. */
export class VolumeLayer extends LayerBase {
  readonly name: string;
  readonly limits: Limits;
  readonly support: Support;
  readonly #options: VolumeOptions;
  readonly #segments: SegmentMap;
  readonly #compounds: CompoundIoPool = new CompoundIoPool(this);
  readonly #mappings: readonly Mapping[];
  readonly #claims: Claim[] = [];

  constructor(options: VolumeOptions) {
    const { segments, isReadOnly } = options;
    assert(segments.size > 0, "a volume has at least one extent");
    super([...new Set(segments.segments.flatMap(({ areas }) => areas.map(({ lower }) => lower)))]);
    this.name = options.name;
    this.#options = options;
    this.#segments = segments;
    this.#mappings = segments.segments.map((segment) => new Mapping(this, segment));
    this.limits = combineLimits(
      segments.size,
      this.lowers.map(({ limits }) => limits),
    );
    const support = combineSupport(this.lowers.map((lower) => lower.support));
    this.support = isReadOnly || support.write === "none" ? READ_ONLY_SUPPORT : support;
  }

  override async open(): Promise<void> {
    const mode = this.support.write === "none" ? "read" : "write";
    try {
      for (const lower of this.lowers)
        this.#claims.push(lower.claims.acquire(this.#options.claimant, mode, lower.name));
    } catch (error) {
      this.#releaseClaims();
      throw error;
    }
  }

  submit(io: Io): void {
    switch (io.op) {
      case Op.read:
        break;
      case Op.write:
      case Op.discard:
      case Op.writeZeroes:
        if (this.support.write === "none") return refuse(io, this);
        break;
      case Op.flush:
        return this.#flush(io);
      default:
        return refuse(io, this);
    }
    const index = this.#segments.indexOf(io.offset);
    const mapping = this.#mappings[index]!;
    if (io.offset + io.length > mapping.end || !mapping.submitWhole(io)) this.#split(io, index);
  }

  override async close(): Promise<void> {
    this.#releaseClaims();
  }

  describe(): LayerDescription {
    const { options, lowers } = this.#options.description;
    return { driver: "@cev/lvm", options, lowers: lowers.map((lower) => lower.describe()) };
  }

  #releaseClaims(): void {
    for (const claim of this.#claims.splice(0)) claim.release();
  }

  #flush(io: Io): void {
    if (this.support.flush === "none") return refuse(io, this);
    if (this.lowers.length === 1) {
      this.lowers[0]!.submit(io);
      return;
    }
    const compound = this.#compounds.over(io, allMustSucceed);
    for (const lower of this.lowers) compound.add(lower, Op.flush, 0, 0, null, 0, io.flags);
    compound.submit();
  }

  #split(io: Io, first: number): void {
    const hasData = io.op === Op.read || io.op === Op.write;
    const compound = this.#compounds.over(io, hasData ? concatenate : this.#merge(first, io));
    const end = io.offset + io.length;
    let at = io.offset;
    for (let index = first; at < end; index++) {
      const mapping = this.#mappings[index]!;
      const length = Math.min(end, mapping.end) - at;
      if (hasData) mapping.addParts(compound, io, at, length);
      else mapping.addRanges(compound, io, at, length);
      at += length;
    }
    compound.submit();
  }

  /** Ranges on several stripes are not in the order of the volume: then nothing counts as done unless all is. */
  #merge(first: number, io: Io): Collation {
    for (let index = first; index < this.#mappings.length; index++) {
      const { segment } = this.#mappings[index]!;
      if (segment.start >= io.offset + io.length) break;
      if (segment.areas.length > 1) return allMustSucceed;
    }
    return concatenate;
  }
}

/** One segment, ready for requests. */
class Mapping {
  /** For those who watch: whose action it is. */
  readonly owner: VolumeLayer;
  readonly segment: MappedSegment;
  readonly end: number;
  /** Of the first area: what is added to an offset of the volume. */
  readonly delta: number;
  readonly #lower: Layer;
  readonly #stripes: readonly Stripe[];

  constructor(owner: VolumeLayer, segment: MappedSegment) {
    const [area] = segment.areas;
    this.owner = owner;
    this.segment = segment;
    this.end = segment.start + segment.length;
    this.delta = area!.start - segment.start;
    this.#lower = area!.lower;
    this.#stripes =
      segment.areas.length === 1 ? [] : segment.areas.map((_, index) => ({ owner, segment, index }));
  }

  /** Passes the same `Io` on where all of it lies on one physical volume in one run. False: it does not. */
  submitWhole(io: Io): boolean {
    if (this.#stripes.length === 0) {
      io.pushAction(restoreLinear, this);
      io.offset += this.delta;
      this.#lower.submit(io);
      return true;
    }
    const place = placeInStripes(this.segment, io.offset);
    if (io.length > place.length) return false;
    io.pushAction(restoreStriped, this.#stripes[place.areaIndex]!);
    io.offset = place.offset;
    this.segment.areas[place.areaIndex]!.lower.submit(io);
    return true;
  }

  /** Adds the parts of a request with data, in the order of the volume. */
  addParts(compound: CompoundIo, io: Io, offset: number, length: number): void {
    if (this.#stripes.length === 0) {
      compound.add(
        this.#lower,
        io.op,
        offset + this.delta,
        length,
        io.data,
        io.dataOffset + offset - io.offset,
        io.flags,
      );
      return;
    }
    for (let at = offset; at < offset + length;) {
      const place = placeInStripes(this.segment, at);
      const part = Math.min(place.length, offset + length - at);
      compound.add(
        this.segment.areas[place.areaIndex]!.lower,
        io.op,
        place.offset,
        part,
        io.data,
        io.dataOffset + at - io.offset,
        io.flags,
      );
      at += part;
    }
  }

  /** Adds the parts of a request without data: one for each area. */
  addRanges(compound: CompoundIo, io: Io, offset: number, length: number): void {
    if (this.#stripes.length === 0) {
      compound.add(this.#lower, io.op, offset + this.delta, length, null, 0, io.flags);
      return;
    }
    this.segment.areas.forEach(({ lower }, index) => {
      const range = rangeOnStripe(this.segment, index, { offset, length });
      if (range.length > 0) compound.add(lower, io.op, range.offset, range.length, null, 0, io.flags);
    });
  }
}

/** One area of a striped segment, for the action that puts an offset back. */
interface Stripe {
  readonly owner: VolumeLayer;
  readonly segment: MappedSegment;
  readonly index: number;
}

function restoreLinear(io: Io, mapping: Mapping): void {
  io.offset -= mapping.delta;
}

function restoreStriped(io: Io, stripe: Stripe): void {
  io.offset = volumeOffset(stripe.segment, stripe.index, io.offset);
}

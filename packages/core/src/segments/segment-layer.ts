import type { Claim, Claimant } from "../claims.ts";
import { allMustSucceed, concatenate } from "../collations.ts";
import { CompoundIoPool } from "../compound-io.ts";
import type { Collation, CompoundIo } from "../compound-io.ts";
import { assert } from "../errors.ts";
import type { Run } from "../extents/run.ts";
import { Op, refuse } from "../io.ts";
import type { Io } from "../io.ts";
import { LayerBase } from "../layer.ts";
import type { Layer } from "../layer.ts";
import { combineLimits } from "../limits.ts";
import type { Limits } from "../limits.ts";
import { READ_ONLY_SUPPORT, combineSupport } from "../support.ts";
import type { Support } from "../support.ts";
import { segmentRuns } from "./segment-runs.ts";
import { StripePlace, offsetInLayer, placeInStripes, rangeOnStripe } from "./segment-map.ts";
import type { MappedSegment, SegmentMap } from "./segment-map.ts";

/** What a `SegmentLayer` is made of. */
export interface SegmentOptions {
  readonly segments: SegmentMap;
  readonly isReadOnly: boolean;
  /** Claims the lowers: one for all layers that share them (the volumes of a group); by default the layer itself. */
  readonly claimant?: Claimant;
}

/**
 * The base of layers that are put together from pieces of others, linear or striped. A request that lies within one run of
 * bytes on one lower goes on as the same `Io`; any other is split by a compound event, without copying. A flush goes to
 * every lower. It offers what all its lowers offer.
 */
export abstract class SegmentLayer extends LayerBase {
  readonly limits: Limits;
  readonly support: Support;
  readonly #segments: SegmentMap;
  readonly #claimant: Claimant;
  readonly #mappings: readonly Mapping[];
  readonly #heldClaims: Claim[] = [];
  // Most volumes of a large group never see a request that is split.
  #compounds: CompoundIoPool | null = null;

  constructor({ segments, isReadOnly, claimant }: SegmentOptions) {
    assert(segments.size > 0, "a layer of segments has at least one byte");
    super(lowersOf(segments));
    this.#segments = segments;
    this.#claimant = claimant ?? this;
    const place = new StripePlace();
    this.#mappings = segments.segments.map((segment) => new Mapping(this, segment, place));
    const [lower] = this.lowers;
    this.limits =
      this.lowers.length === 1
        ? combineLimits(segments.size, [lower!.limits])
        : combineLimits(
            segments.size,
            this.lowers.map(({ limits }) => limits),
          );
    const support =
      this.lowers.length === 1 ? lower!.support : combineSupport(this.lowers.map((one) => one.support));
    this.support = isReadOnly || support.write === "none" ? READ_ONLY_SUPPORT : support;
  }

  override async open(): Promise<void> {
    const mode = this.support.write === "none" ? "read" : "write";
    try {
      for (const lower of this.lowers)
        this.#heldClaims.push(lower.claims.acquire(this.#claimant, mode, lower.name));
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
        if (this.support.write === "none") return refuse(io, this);
        break;
      case Op.discard:
        if (this.support.discard === "none") return refuse(io, this);
        break;
      case Op.writeZeroes:
        if (this.support.writeZeroes === "none") return refuse(io, this);
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

  /** The same bytes as below. Whoever makes something else of them on the way has to say so here, too. */
  runs(offset: number, length: number, countMax: number): readonly Run[] {
    return segmentRuns(this.#segments, offset, length, countMax);
  }

  override async close(): Promise<void> {
    this.#releaseClaims();
  }

  #releaseClaims(): void {
    for (const claim of this.#heldClaims.splice(0)) claim.release();
  }

  #flush(io: Io): void {
    if (this.support.flush === "none") return refuse(io, this);
    if (this.lowers.length === 1) {
      this.lowers[0]!.submit(io);
      return;
    }
    const compound = this.#over(io, allMustSucceed);
    for (const lower of this.lowers) compound.add(lower, Op.flush, 0, 0, null, 0, io.flags);
    compound.submit();
  }

  #split(io: Io, first: number): void {
    const hasData = io.op === Op.read || io.op === Op.write;
    const compound = this.#over(io, hasData ? concatenate : this.#merge(first, io));
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

  #over(io: Io, collation: Collation): CompoundIo {
    this.#compounds ??= new CompoundIoPool(this);
    return this.#compounds.over(io, collation);
  }

  /** Ranges on several stripes are not in the order of the layer: then nothing counts as done unless all is. */
  #merge(first: number, io: Io): Collation {
    for (let index = first; index < this.#mappings.length; index++) {
      const { segment } = this.#mappings[index]!;
      if (segment.start >= io.offset + io.length) break;
      if (segment.areas.length > 1) return allMustSucceed;
    }
    return concatenate;
  }
}

function lowersOf({ segments }: SegmentMap): readonly Layer[] {
  const [first] = segments;
  if (segments.length === 1 && first!.areas.length === 1) return [first!.areas[0]!.lower];
  const lowers = new Set<Layer>();
  for (const { areas } of segments) for (const { lower } of areas) lowers.add(lower);
  return [...lowers];
}

/** One segment, ready for requests. */
class Mapping {
  /** For those who watch: whose action it is. */
  readonly owner: SegmentLayer;
  readonly segment: MappedSegment;
  readonly end: number;
  /** Of the first area: what is added to an offset of the layer. */
  readonly delta: number;
  readonly #lower: Layer;
  readonly #stripes: readonly Stripe[] | null;
  /** Shared by all of a layer: it is used at once. */
  readonly #place: StripePlace;

  constructor(owner: SegmentLayer, segment: MappedSegment, place: StripePlace) {
    const area = segment.areas[0]!;
    this.owner = owner;
    this.segment = segment;
    this.end = segment.start + segment.length;
    this.delta = area.start - segment.start;
    this.#lower = area.lower;
    this.#place = place;
    this.#stripes =
      segment.areas.length === 1 ? null : segment.areas.map((_, index) => ({ owner, segment, index }));
  }

  /** Passes the same `Io` on where all of it lies on one lower in one run. False: it does not. */
  submitWhole(io: Io): boolean {
    if (this.#stripes === null) {
      io.pushAction(restoreLinear, this);
      io.offset += this.delta;
      this.#lower.submit(io);
      return true;
    }
    const place = this.#place;
    placeInStripes(this.segment, io.offset, place);
    if (io.length > place.length) return false;
    io.pushAction(restoreStriped, this.#stripes[place.areaIndex]!);
    io.offset = place.offset;
    this.segment.areas[place.areaIndex]!.lower.submit(io);
    return true;
  }

  /** Adds the parts of a request with data, in the order of the layer. */
  addParts(compound: CompoundIo, io: Io, offset: number, length: number): void {
    const dataOffset = io.dataOffset + offset - io.offset;
    if (this.#stripes === null) {
      compound.add(this.#lower, io.op, offset + this.delta, length, io.data, dataOffset, io.flags);
      return;
    }
    const place = this.#place;
    for (let at = offset; at < offset + length;) {
      placeInStripes(this.segment, at, place);
      const part = Math.min(place.length, offset + length - at);
      const { lower } = this.segment.areas[place.areaIndex]!;
      compound.add(lower, io.op, place.offset, part, io.data, dataOffset + at - offset, io.flags);
      at += part;
    }
  }

  /** Adds the parts of a request without data: one for each area. */
  addRanges(compound: CompoundIo, io: Io, offset: number, length: number): void {
    if (this.#stripes === null) {
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
  readonly owner: SegmentLayer;
  readonly segment: MappedSegment;
  readonly index: number;
}

function restoreLinear(io: Io, mapping: Mapping): void {
  io.offset -= mapping.delta;
}

function restoreStriped(io: Io, stripe: Stripe): void {
  io.offset = offsetInLayer(stripe.segment, stripe.index, io.offset);
}

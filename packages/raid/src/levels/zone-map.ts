import { assert } from "@cev/core";
import type { Geometry } from "./level.ts";
import { linear } from "./linear.ts";
import { wholeChunks } from "./member-size.ts";
import { Raid0Layout, raid0 } from "./raid0.ts";

/** A part of a linear or RAID0 array that lies on the same members from end to end. Bytes. */
export interface Zone {
  /** Of the array. */
  readonly start: number;
  readonly end: number;
  /** Where it begins on each of its members, counted from where their data begins. */
  readonly memberStart: number;
  /** Its members, in order. */
  readonly members: readonly number[];
  /** The place in `members` of its first chunk. */
  readonly firstTurn: number;
}

/** Where a byte of the array lies; made once and filled again by each `locate`. */
export class ZonePlace {
  memberIndex = 0;
  /** From where the member's data begins. A non-integer first, so that offsets past 2^31 need no fresh memory. */
  memberOffset = 0.5;
  /** So many bytes from there on lie in one piece. */
  length = 0.5;
}

/**
 * Maps bytes of a linear or RAID0 array to bytes of its members and back. A linear array is a zone per member. A RAID0
 * array's first zone is striped over all members and as long as the shortest, the next over those that are longer, and
 * so on; in the original layout the turn of a chunk depends on its place in the array, in the alternate one on that in its zone.
 * Source: drivers/md/raid0.c (create_strip_zones, map_sector) and linear.c.
 */
export class ZoneMap {
  readonly zones: readonly Zone[];
  /** Bytes of the array. */
  readonly size: number;
  /** Bytes; 0 for a linear array without rounding. */
  readonly chunkSize: number;
  readonly #place = new ZonePlace();
  #lastZone: Zone;

  /** The geometry has been checked: a RAID0 of several zones has a layout. */
  constructor(geometry: Geometry) {
    this.chunkSize = geometry.chunkSize;
    this.zones = geometry.level === linear.number ? linearZones(geometry) : stripZones(geometry);
    assert(this.zones.length > 0, "some member holds a chunk");
    this.#lastZone = this.zones[0]!;
    this.size = (geometry.level === linear.number ? linear : raid0).sizeOf(geometry);
  }

  /** Fills `place` for a byte of the array, and gives it back. */
  locate(offset: number, place: ZonePlace): ZonePlace {
    const zone = this.#zoneOf(offset);
    const memberCount = zone.members.length;
    const inZone = offset - zone.start;
    if (memberCount === 1) {
      place.memberIndex = zone.members[0]!;
      place.memberOffset = zone.memberStart + inZone;
      place.length = zone.end - offset;
    } else {
      const chunk = Math.floor(inZone / this.chunkSize);
      const row = Math.floor(chunk / memberCount);
      const turn = chunk - row * memberCount + zone.firstTurn;
      const inChunk = inZone - chunk * this.chunkSize;
      place.memberIndex = zone.members[turn < memberCount ? turn : turn - memberCount]!;
      place.memberOffset = zone.memberStart + row * this.chunkSize + inChunk;
      place.length = this.chunkSize - inChunk;
    }
    if (place.length > this.size - offset) place.length = this.size - offset;
    return place;
  }

  /** The member on which a byte of the array lies. */
  memberOf(offset: number): number {
    return this.locate(offset, this.#place).memberIndex;
  }

  /** Where on its member a byte of the array lies. */
  memberOffsetOf(offset: number): number {
    return this.locate(offset, this.#place).memberOffset;
  }

  /** How many bytes from `offset` on lie in one piece on one member. */
  restOf(offset: number): number {
    return this.locate(offset, this.#place).length;
  }

  /** The byte of the array that a byte of a member holds, or -1 where that belongs to none. */
  arrayOffsetOf(memberIndex: number, memberOffset: number): number {
    for (let index = this.zones.length - 1; index >= 0; index--) {
      const zone = this.zones[index]!;
      if (memberOffset < zone.memberStart) continue;
      const place = zone.members.indexOf(memberIndex);
      if (place < 0) continue;
      const offset = zone.start + this.#inZoneOf(zone, place, memberOffset - zone.memberStart);
      return offset < zone.end && offset < this.size ? offset : -1;
    }
    return -1;
  }

  #inZoneOf(zone: Zone, place: number, inMember: number): number {
    const memberCount = zone.members.length;
    if (memberCount === 1) return inMember;
    const row = Math.floor(inMember / this.chunkSize);
    const turn = place - zone.firstTurn;
    const chunk = row * memberCount + (turn < 0 ? turn + memberCount : turn);
    return chunk * this.chunkSize + inMember - row * this.chunkSize;
  }

  /** The zone in which a byte of the array lies: mostly the one of the last request. */
  #zoneOf(offset: number): Zone {
    const last = this.#lastZone;
    if (offset >= last.start && offset < last.end) return last;
    let low = 0;
    let high = this.zones.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (offset < this.zones[middle]!.end) high = middle;
      else low = middle + 1;
    }
    this.#lastZone = this.zones[low]!;
    return this.#lastZone;
  }
}

function linearZones({ memberSizes, chunkSize }: Geometry): Zone[] {
  const zones: Zone[] = [];
  let start = 0;
  memberSizes.forEach((memberSize, memberIndex) => {
    const end = start + wholeChunks(memberSize, chunkSize);
    if (end > start) zones.push({ start, end, memberStart: 0, members: [memberIndex], firstTurn: 0 });
    start = end;
  });
  return zones;
}

function stripZones({ memberSizes, chunkSize, layout }: Geometry): Zone[] {
  const lengths = memberSizes.map((size) => wholeChunks(size, chunkSize));
  const ends = [...new Set(lengths)].filter((length) => length > 0).sort((a, b) => a - b);
  const isLayoutKnown = layout === Raid0Layout.original || layout === Raid0Layout.alternate;
  assert(ends.length <= 1 || isLayoutKnown, "a RAID0 of unequal members is opened with a known layout only");
  const zones: Zone[] = [];
  let start = 0;
  let memberStart = 0;
  for (const memberEnd of ends) {
    const members = [...lengths.keys()].filter((index) => lengths[index]! >= memberEnd);
    const end = start + (memberEnd - memberStart) * members.length;
    const firstTurn = layout === Raid0Layout.original ? (start / chunkSize) % members.length : 0;
    zones.push({ start, end, memberStart, members, firstTurn });
    start = end;
    memberStart = memberEnd;
  }
  return zones;
}

import type { Member } from "../array/member.ts";
import type { RunningArray } from "../array/running-array.ts";
import type { MirrorMap } from "../levels/mirror-map.ts";

// In `Superblock.deviceFlags`.
const WRITE_MOSTLY = 1;
// So many reads of a stream keep a member busy. What is more goes to a member that has less to do.
const STREAM_DEPTH_MAX = 4;

/** What the choice knows of one member's reads. */
export class ReadLane {
  /** Reads under way. */
  pendingCount = 0;
  /** Where the last one ends: there a stream goes on. Of the member's data, in bytes. */
  nextOffset = 0.5;
}

/** What is to be read, and then the copy that was chosen. */
export interface CopyPlace {
  /** Of the array, in bytes. */
  offset: number;
  /** Copies that were tried in vain. */
  readonly tried: number[];
  copy: number;
  memberOffset: number;
}

/**
 * Which copy of a range is read. A stream stays with the member it is on, unless that has many more reads under way than
 * another; otherwise the member with the fewest reads under way, and among those the one whose last read ended nearest. With far copies always the one nearest the start of
 * its member: so a long read uses all members. Where copies may differ, always the first: two reads must not contradict
 * one another. From members marked write-mostly only what no other has.
 */
export class CopyChoice {
  readonly #array: RunningArray;
  readonly #map: MirrorMap;
  readonly #isLowestFirst: boolean;
  readonly #lanes: ReadLane[];

  constructor(array: RunningArray, map: MirrorMap, isLowestFirst: boolean) {
    this.#array = array;
    this.#map = map;
    this.#isLowestFirst = isLowestFirst;
    this.#lanes = array.members.map(() => new ReadLane());
  }

  laneOf(memberIndex: number): ReadLane {
    return this.#lanes[memberIndex]!;
  }

  /** Fills in the copy that is to be read. False: none can be, all of the range together. */
  choose(place: CopyPlace, length: number): boolean {
    const { offset } = place;
    const map = this.#map;
    const isFirstBest = this.#array.isUnsynced(offset, offset + length);
    let best = -1;
    let bestOffset = 0;
    let bestRank = Infinity;
    let bestDistance = Infinity;
    for (let copy = 0; copy < map.copyCount; copy++) {
      const member = this.#array.members[map.memberOf(offset, copy)]!;
      const at = map.memberOffsetOf(offset, copy);
      if (!member.canRead(at, at + length) || place.tried.includes(copy)) continue;
      const lane = this.#lanes[member.index]!;
      const distance = this.#isLowestFirst ? at : Math.abs(at - lane.nextOffset);
      let rank = 0;
      if (isFirstBest) rank = copy;
      else if (!this.#isLowestFirst) rank = rankOf(lane, distance);
      if (isWriteMostly(member)) rank += 2 ** 32;
      if (rank > bestRank || (rank === bestRank && distance >= bestDistance)) continue;
      best = copy;
      bestOffset = at;
      bestRank = rank;
      bestDistance = distance;
    }
    place.copy = best;
    place.memberOffset = bestOffset;
    return best >= 0;
  }
}

/** The lower the better. */
function rankOf({ pendingCount }: ReadLane, distance: number): number {
  return distance === 0 ? Math.max(0, pendingCount - STREAM_DEPTH_MAX) : 1 + pendingCount;
}

/** True for a member that is only read where there is no other. */
export function isWriteMostly({ device }: Member): boolean {
  return device !== null && (device.superblock.deviceFlags & WRITE_MOSTLY) !== 0;
}

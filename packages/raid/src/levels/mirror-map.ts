import { assert } from "@cev/core";
import type { Geometry } from "./level.ts";
import { usedMemberSize } from "./member-size.ts";
import { decodeRaid10Layout } from "./raid10-layout.ts";

/**
 * Maps bytes of a RAID1 or RAID10 array to each of their copies on the members, and back. Member offsets count from
 * where the member's data begins. The places are those of drivers/md/raid10.c (raid10_find_phys, raid10_find_virt,
 * calc_sectors).
 */
export class MirrorMap {
  readonly memberCount: number;
  /** Copies of each byte. */
  readonly copyCount: number;
  /** Bytes of the array. */
  readonly size: number;
  /** Bytes in use of each member, from the start of its data: what a recovery goes through. */
  readonly memberSize: number;
  /** Bytes; 0 for RAID1, which has none. */
  readonly chunkSize: number;
  readonly #nearCount: number;
  readonly #farCount: number;
  readonly #isOffset: boolean;
  readonly #farSetSize: number;
  /** The first member of the last far set, which is the only one that may be larger, and its size. */
  readonly #lastSetStart: number;
  readonly #lastSetSize: number;
  /** From one far copy to the next, in chunks of a member. */
  readonly #strideChunks: number;

  /** The geometry has been checked: the layout exists. */
  constructor(geometry: Geometry) {
    const { level, memberCount } = geometry;
    this.memberCount = memberCount;
    if (level === 1) {
      this.copyCount = memberCount;
      this.size = usedMemberSize({ ...geometry, chunkSize: 0 });
      this.memberSize = this.size;
      this.chunkSize = 0;
      this.#nearCount = memberCount;
      this.#farCount = 1;
      this.#isOffset = false;
      this.#farSetSize = memberCount;
      this.#lastSetStart = 0;
      this.#lastSetSize = memberCount;
      this.#strideChunks = 0;
      return;
    }
    const layout = decodeRaid10Layout(geometry.layout, memberCount);
    assert(level === 10 && layout !== null, "a mirror map is made of RAID1 or a known layout of RAID10");
    const { nearCount, farCount, isOffset, farSetSize } = layout;
    this.copyCount = nearCount * farCount;
    this.chunkSize = geometry.chunkSize;
    const sectionChunks = Math.floor(usedMemberSize(geometry) / this.chunkSize / farCount);
    this.memberSize = sectionChunks * farCount * this.chunkSize;
    this.size = Math.floor((sectionChunks * memberCount) / nearCount) * this.chunkSize;
    this.#nearCount = nearCount;
    this.#farCount = farCount;
    this.#isOffset = isOffset;
    this.#farSetSize = farSetSize;
    this.#lastSetStart = (Math.floor(memberCount / farSetSize) - 1) * farSetSize;
    this.#lastSetSize = farSetSize + (memberCount % farSetSize);
    this.#strideChunks = isOffset ? 1 : sectionChunks;
  }

  /** How many bytes from `offset` on lie in one piece on each of their members. */
  chunkRest(offset: number): number {
    if (this.#isPlain) return this.size - offset;
    return (Math.floor(offset / this.chunkSize) + 1) * this.chunkSize - offset;
  }

  /** The member that holds a copy (from 0) of a byte of the array. */
  memberOf(offset: number, copy: number): number {
    if (this.chunkSize === 0) return copy;
    const near = Math.floor(copy / this.#farCount);
    const column = remainder(Math.floor(offset / this.chunkSize) * this.#nearCount + near, this.memberCount);
    return this.#shifted(column, (copy - near * this.#farCount) * this.#nearCount);
  }

  /** Where on its member a copy of a byte of the array lies. */
  memberOffsetOf(offset: number, copy: number): number {
    const { chunkSize } = this;
    if (chunkSize === 0) return offset;
    const chunk = Math.floor(offset / chunkSize);
    const near = Math.floor(copy / this.#farCount);
    const far = copy - near * this.#farCount;
    const row = Math.floor((chunk * this.#nearCount + near) / this.memberCount);
    const memberChunk = (this.#isOffset ? row * this.#farCount : row) + far * this.#strideChunks;
    return memberChunk * chunkSize + offset - chunk * chunkSize;
  }

  /** The byte of the array that a byte of a member holds, or -1 where that belongs to no copy. */
  arrayOffsetOf(memberIndex: number, memberOffset: number): number {
    const { chunkSize } = this;
    if (memberOffset >= this.memberSize) return -1;
    if (chunkSize === 0) return memberOffset;
    const memberChunk = Math.floor(memberOffset / chunkSize);
    const slow = Math.floor(memberChunk / (this.#isOffset ? this.#farCount : this.#strideChunks));
    const fast = memberChunk - slow * (this.#isOffset ? this.#farCount : this.#strideChunks);
    const far = this.#isOffset ? fast : slow;
    const row = this.#isOffset ? slow : fast;
    const column = this.#shifted(memberIndex, -far * this.#nearCount);
    const chunk = Math.floor((row * this.memberCount + column) / this.#nearCount);
    const offset = chunk * chunkSize + memberOffset - memberChunk * chunkSize;
    return offset < this.size ? offset : -1;
  }

  /** How many bytes of a member from `memberOffset` on lie in one piece of the array, or together in none. */
  memberRest(memberOffset: number): number {
    if (this.#isPlain) return this.memberSize - memberOffset;
    return (Math.floor(memberOffset / this.chunkSize) + 1) * this.chunkSize - memberOffset;
  }

  /** Every member holds the same. */
  get #isPlain(): boolean {
    return this.#nearCount === this.memberCount;
  }

  /** The member so many places further on the ring of its far set. */
  #shifted(memberIndex: number, by: number): number {
    const isLast = memberIndex >= this.#lastSetStart;
    const size = isLast ? this.#lastSetSize : this.#farSetSize;
    const start = isLast ? this.#lastSetStart : memberIndex - (memberIndex % this.#farSetSize);
    const turned = (memberIndex - start + by) % size;
    return start + (turned < 0 ? turned + size : turned);
  }
}

// Not `%`: on numbers past 2^31 it costs more than all the rest of a request. Exact for integers below 2^53.
function remainder(value: number, divisor: number): number {
  return value - Math.floor(value / divisor) * divisor;
}

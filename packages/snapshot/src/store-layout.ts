import { assert } from "@cev/core";

/** Bytes of an exception on disk: two numbers of 64 bits. */
export const ENTRY_LENGTH = 16;
/** The store's first chunk holds its header. */
export const HEADER_CHUNK = 0;

/**
 * Where things lie in a store: the header, then an area of exceptions, then as many chunks of data as the area has entries,
 * then the next area, and so on. Format: Linux, drivers/md/dm-snap-persistent.c.
 */
export class StoreLayout {
  /** Bytes; a power of two. */
  readonly chunkSize: number;
  /** How many exceptions one area holds. */
  readonly entriesPerArea: number;
  /** Whole chunks of the store, header and areas among them. */
  readonly chunkCount: number;
  /** How many exceptions the store takes: the last area that has room may not become full, since the next one would end it. */
  readonly entryCountMax: number;

  constructor(chunkSize: number, storeSize: number) {
    assert(chunkSize >= 512 && Number.isInteger(Math.log2(chunkSize)), "a chunk is a power of two");
    this.chunkSize = chunkSize;
    this.entriesPerArea = chunkSize / ENTRY_LENGTH;
    this.chunkCount = Math.floor(storeSize / chunkSize);
    this.entryCountMax = Math.max(0, this.areaCount * this.entriesPerArea - 1);
  }

  /** How many areas begin within the store. */
  get areaCount(): number {
    return Math.max(0, Math.ceil((this.chunkCount - 1) / (this.entriesPerArea + 1)));
  }

  /** The chunk that an area lies in. */
  chunkOfArea(area: number): number {
    return 1 + area * (this.entriesPerArea + 1);
  }

  /** True for the chunks that hold no data: the header and the areas. */
  isMetadata(chunk: number): boolean {
    return chunk === HEADER_CHUNK || chunk % (this.entriesPerArea + 1) === 1;
  }

  /** The first chunk from this one on that may hold data. */
  skipMetadata(chunk: number): number {
    return this.isMetadata(chunk) ? this.skipMetadata(chunk + 1) : chunk;
  }

  /** How many chunks of data follow each other from this one on, before the next area or the end. */
  runLength(chunk: number): number {
    const stride = this.entriesPerArea + 1;
    const untilArea = (1 - (chunk % stride) + stride) % stride;
    return Math.max(0, Math.min(untilArea, this.chunkCount - chunk));
  }
}

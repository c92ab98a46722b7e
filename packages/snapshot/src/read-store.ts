import { MetadataError, readBytes } from "@cev/core";
import type { Environment, RequestTarget } from "@cev/core";
import { decodeArea } from "./exception-area.ts";
import type { AreaBounds } from "./exception-area.ts";
import { ExceptionTable } from "./exception-table.ts";
import { BLANK_LENGTH, decodeHeader } from "./store-header.ts";
import { StoreLayout } from "./store-layout.ts";
import { gapsBetween } from "./store-room.ts";
import type { ChunkRange } from "./store-room.ts";

/** What a store held when it was read. */
export interface StoreContents {
  /** "blank": a new snapshot, nothing written yet. "invalid": it overflowed or failed, and is of no use any more. */
  readonly state: "blank" | "valid" | "invalid";
  readonly layout: StoreLayout;
  readonly table: ExceptionTable;
  /** The area that is being filled. */
  readonly areaIndex: number;
  /** How many exceptions it has. */
  readonly entryCount: number;
  /** Its bytes, with zeroes behind them. */
  readonly area: Uint8Array;
  /** What lies behind its exceptions is to be cleared before others are written. */
  readonly isTorn: boolean;
  /** The lowest chunk of the store from which on none was ever used. */
  readonly nextFree: number;
  /** What is not used below that: a power cut or an error left it. */
  readonly gaps: readonly ChunkRange[];
}

/** What a store is read with. */
export interface ReadStoreOptions {
  readonly environment: Environment;
  /** For errors. */
  readonly source: string;
  readonly store: RequestTarget;
  readonly origin: { readonly limits: { readonly size: number; readonly logicalBlockSize: number } };
  /** Bytes; of a blank store. */
  readonly chunkSize: number;
}

const AREAS_AT_ONCE_MAX = 16;

/** A chunk is copied by way of one buffer. */
export function chunkSizeMax({ buffers }: Environment): number {
  return Math.min(buffers.bufferLengthMax, buffers.bytesMax);
}

/** Reads a store's header and exceptions. Throws `CEV_BAD_METADATA` or `CEV_UNKNOWN_FEATURE`. */
export async function readStore(options: ReadStoreOptions): Promise<StoreContents> {
  const { environment, source, store, origin } = options;
  const { size, logicalBlockSize } = store.limits;
  const head = await readBytes(store, environment, 0, Math.min(BLANK_LENGTH, size));
  const header = decodeHeader(head, {
    source,
    logicalBlockSize: Math.max(logicalBlockSize, origin.limits.logicalBlockSize),
    chunkSizeMax: chunkSizeMax(environment),
  });
  const layout = new StoreLayout(header?.chunkSize ?? options.chunkSize, size);
  const table = new ExceptionTable();
  const empty = { layout, table, areaIndex: 0, entryCount: 0, isTorn: false, nextFree: 2, gaps: [] };
  if (layout.chunkCount < 2)
    throw new MetadataError(`the store of ${size} bytes has no room for a chunk of exceptions`, {
      source,
      structure: "snapshot store",
    });
  if (!header?.isValid)
    return {
      ...empty,
      state: header === null ? "blank" : "invalid",
      area: new Uint8Array(layout.chunkSize),
    };
  const originChunkCount = Math.ceil(origin.limits.size / layout.chunkSize);
  return { state: "valid", ...(await readAreas(options, { source, layout, originChunkCount }, table)) };
}

/** Reads areas, several at once, until one is not full. */
async function readAreas(
  { environment, store }: ReadStoreOptions,
  bounds: AreaBounds,
  table: ExceptionTable,
): Promise<Omit<StoreContents, "state">> {
  const { layout } = bounds;
  const used = new ExceptionTable();
  const chunks: number[] = [];
  let nextFree = 2;
  const take = (
    oldChunk: number,
    newChunk: number,
  ): { readonly field: string; readonly reason: string } | null => {
    if (!table.add(oldChunk, newChunk))
      return { field: "old_chunk", reason: `chunk ${oldChunk} has an exception already` };
    if (!used.add(newChunk, oldChunk))
      return { field: "new_chunk", reason: `chunk ${newChunk} of the store is used already` };
    chunks.push(newChunk);
    nextFree = Math.max(nextFree, newChunk + 1);
    return null;
  };
  for (let first = 0, atOnce = 1; first < layout.areaCount; first += atOnce) {
    atOnce = first === 0 ? 1 : Math.min(atOnce * 4, AREAS_AT_ONCE_MAX, layout.areaCount - first);
    const reads = await Promise.allSettled(
      Array.from({ length: atOnce }, (_, index) =>
        readBytes(store, environment, layout.chunkOfArea(first + index) * layout.chunkSize, layout.chunkSize),
      ),
    );
    // Whoever is told of a failure may close the store: nothing may be under way on it then.
    const areas = reads.map((read) => {
      if (read.status === "rejected") throw read.reason;
      return read.value;
    });
    for (const [index, area] of areas.entries()) {
      const { count, isTorn } = decodeArea(area, first + index, bounds, take);
      if (count === layout.entriesPerArea) continue;
      area.fill(0, count * 16);
      nextFree = layout.skipMetadata(nextFree);
      const gaps = gapsBetween(chunks, layout);
      return { layout, table, areaIndex: first + index, entryCount: count, area, isTorn, nextFree, gaps };
    }
  }
  throw new MetadataError(
    "all areas of exceptions are full, and the store ends where the next one should be",
    {
      source: bounds.source,
      structure: `area ${layout.areaCount} of exceptions`,
      byteOffset: layout.chunkOfArea(layout.areaCount) * layout.chunkSize,
    },
  );
}

import { MetadataError, assert } from "@cev/core";
import { ENTRY_LENGTH } from "./store-layout.ts";
import type { StoreLayout } from "./store-layout.ts";

/** What is written whole or not at all when the power goes. */
const SECTOR = 512;
const HIGH_MAX = 2 ** 21;

/** What an area is checked against. */
export interface AreaBounds {
  /** For errors: what the user calls the store. */
  readonly source: string;
  readonly layout: StoreLayout;
  /** How many chunks the origin has, the last one perhaps in part. */
  readonly originChunkCount: number;
}

/** What an area was found to hold. */
export interface AreaContents {
  /** How many exceptions it has, from its first entry on. */
  readonly count: number;
  /** Behind them lies what a write of several sectors left that a power cut tore: it counts for nothing. */
  readonly isTorn: boolean;
}

/** Puts an exception into an area: `oldChunk` of the origin now lies in `newChunk` of the store. */
export function encodeEntry(area: DataView, index: number, oldChunk: number, newChunk: number): void {
  assert(oldChunk >= 0 && newChunk > 0, "chunks count from 0, and the header's holds no data");
  const at = index * ENTRY_LENGTH;
  area.setUint32(at, oldChunk >>> 0, true);
  area.setUint32(at + 4, Math.floor(oldChunk / 2 ** 32), true);
  area.setUint32(at + 8, newChunk >>> 0, true);
  area.setUint32(at + 12, Math.floor(newChunk / 2 ** 32), true);
}

/** A number of an entry; more than 2^53: infinite. `at`: byte offset in the area. */
function chunkAt(area: DataView, at: number): number {
  const high = area.getUint32(at + 4, true);
  return high < HIGH_MAX ? high * 2 ** 32 + area.getUint32(at, true) : Number.POSITIVE_INFINITY;
}

/** The chunk of the origin that an entry is about. */
export const oldChunkOf = (area: DataView, index: number): number => chunkAt(area, index * ENTRY_LENGTH);
/** The chunk of the store that holds it. */
export const newChunkOf = (area: DataView, index: number): number => chunkAt(area, index * ENTRY_LENGTH + 8);

/**
 * Reads an area: hands its exceptions to `take`, in order. They end at the first entry without a new chunk. `take` answers with what
 * is wrong with one (null: nothing). Throws `CEV_BAD_METADATA`.
 */
export function decodeArea(
  bytes: Uint8Array,
  areaIndex: number,
  bounds: AreaBounds,
  take: (oldChunk: number, newChunk: number) => { readonly field: string; readonly reason: string } | null,
): AreaContents {
  const { layout, originChunkCount } = bounds;
  const area = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let index = 0; index < layout.entriesPerArea; index++) {
    const oldChunk = oldChunkOf(area, index);
    const newChunk = newChunkOf(area, index);
    if (newChunk === 0) return endOf(bytes, area, index, areaIndex, bounds);
    if (oldChunk >= originChunkCount)
      throw fault(bounds, areaIndex, index, "old_chunk", `chunk ${oldChunk} is past the origin's end`);
    if (newChunk >= layout.chunkCount)
      throw fault(bounds, areaIndex, index, "new_chunk", `chunk ${newChunk} is past the store's end`);
    if (layout.isMetadata(newChunk))
      throw fault(bounds, areaIndex, index, "new_chunk", `chunk ${newChunk} holds metadata`);
    const wrong = take(oldChunk, newChunk);
    if (wrong !== null) throw fault(bounds, areaIndex, index, wrong.field, wrong.reason);
  }
  return { count: layout.entriesPerArea, isTorn: false };
}

/**
 * The first entry without a new chunk ends the exceptions. Whatever else its sector holds must be zero: sectors are written whole.
 * Those behind it may hold entries whose write was torn by a power cut, or that were cleared in part.
 */
function endOf(
  bytes: Uint8Array,
  area: DataView,
  index: number,
  areaIndex: number,
  bounds: AreaBounds,
): AreaContents {
  const start = index * ENTRY_LENGTH;
  const sectorEnd = Math.min(bytes.length, Math.floor(start / SECTOR) * SECTOR + SECTOR);
  if (oldChunkOf(area, index) !== 0)
    throw fault(bounds, areaIndex, index, "new_chunk", "an exception leads to the header's chunk");
  for (let at = start; at < sectorEnd; at++)
    if (bytes[at] !== 0) {
      const message = `the exceptions end before entry ${index}, and others follow`;
      throw fault(bounds, areaIndex, Math.floor(at / ENTRY_LENGTH), "new_chunk", message);
    }
  return { count: index, isTorn: bytes.subarray(sectorEnd).some((byte) => byte !== 0) };
}

function fault(
  { source, layout }: AreaBounds,
  areaIndex: number,
  index: number,
  field: string,
  message: string,
): MetadataError {
  const within = index * ENTRY_LENGTH + (field === "new_chunk" ? 8 : 0);
  return new MetadataError(message, {
    source,
    structure: `exception ${index} of area ${areaIndex}`,
    field,
    byteOffset: layout.chunkOfArea(areaIndex) * layout.chunkSize + within,
  });
}

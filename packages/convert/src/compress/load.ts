import { CevError, MetadataError, readBytes } from "@cev/core";
import type { Environment, Layer } from "@cev/core";
import { Allocator } from "./allocator.ts";
import { ChunkMap } from "./chunk-map.ts";
import { ENTRY_LENGTH, Kind, decodeEntry, encodeEntry, entryIssue } from "./entry.ts";
import { decodeRecord, halfOf } from "./journal-record.ts";
import { scanJournal } from "./journal-scan.ts";
import type { EachPage, JournalScan } from "./journal-scan.ts";
import { decodeMapSector } from "./map-sector.ts";
import { EPOCH_MAX, JOURNAL_OFFSET, PAGE_LENGTH, SECTOR_ENTRIES, SECTOR_LENGTH } from "./superblock.ts";
import type { Superblock } from "./superblock.ts";

/** What a compressed device has in memory. */
export interface LoadedMap {
  readonly map: ChunkMap;
  readonly allocator: Allocator;
  /** Of each map sector, the newest epoch of which it holds everything. */
  readonly sectorEpochs: Float64Array;
  /** The epoch that was replayed; 0: none. */
  readonly epoch: number;
  /** A new epoch has to be above it. */
  readonly epochMax: number;
}

// Besides its sector of the map: which of its units are free, and its place in a list.
const BIN_MEMORY = 9;
const BIN_COUNT_MAX = 2 ** 31 - 1;
// Read at once.
const STEP = 1_048_576;

/** Refuses a map that would take more memory than allowed. */
export function checkMapMemory({ mapLength, binCount }: Superblock, mapMemoryMax: number): void {
  const memory = mapLength + BIN_MEMORY * binCount;
  if (memory <= mapMemoryMax && binCount <= BIN_COUNT_MAX) return;
  const message = `the map takes ${memory} bytes of memory, of at most ${mapMemoryMax}`;
  throw new CevError("CEV_NO_MEMORY", message, {
    hint: "larger chunks make it smaller; or allow more with mapMemoryMax",
  });
}

/** Reads map and journal, and checks all of it. Writes nothing. Throws `CEV_BAD_METADATA`; `CEV_NO_MEMORY` where there is none. */
export async function loadMap(
  lower: Layer,
  environment: Environment,
  superblock: Superblock,
): Promise<LoadedMap> {
  const { mapOffset, mapLength, size, chunkSize, binCount } = superblock;
  const sectorCount = mapLength / SECTOR_LENGTH;
  const { sectorEpochs, entries, allocator } = memoryFor(sectorCount, binCount);
  // In steps: whatever the superblock says, no more is in memory than the map takes and one step.
  const eachPage: EachPage = async (offset, length, see) => {
    for (let at = 0; at < length; at += STEP) {
      const bytes = await readBytes(lower, environment, offset + at, Math.min(STEP, length - at));
      for (let page = 0; page < bytes.length; page += PAGE_LENGTH)
        see(bytes.subarray(page, page + PAGE_LENGTH));
    }
  };
  let sectorsSeen = 0;
  await eachPage(mapOffset, mapLength, (page) => {
    for (let at = 0; at < PAGE_LENGTH; at += SECTOR_LENGTH) {
      const index = sectorsSeen++;
      const sector = decodeMapSector(index, superblock.formatId, page.subarray(at, at + SECTOR_LENGTH));
      if (sector === null) throw badMap(superblock, index, "the sector is damaged");
      sectorEpochs[index] = sector.epoch;
      entries.set(sector.entries, index * SECTOR_ENTRIES * ENTRY_LENGTH);
    }
  });
  const scan = await scanJournal(superblock, eachPage);
  const view = new DataView(entries.buffer);
  const changed = await replay(superblock, scan, { eachPage, view, sectorEpochs });
  const chunkCount = size / chunkSize;
  for (let chunk = 0; chunk < sectorCount * SECTOR_ENTRIES; chunk++) {
    const entry = decodeEntry(view, chunk * ENTRY_LENGTH);
    const issue = entryIssue(entry, superblock);
    const sector = Math.floor(chunk / SECTOR_ENTRIES);
    if (issue !== null) throw badMap(superblock, sector, `chunk ${chunk}: ${issue}`);
    if (entry.kind === Kind.hole) continue;
    if (chunk >= chunkCount) throw badMap(superblock, sector, `chunk ${chunk} of ${chunkCount}`);
    if (!allocator.take(entry.firstUnit, entry.unitCount))
      throw badMap(superblock, sector, `chunk ${chunk} shares units with another`);
  }
  const map = new ChunkMap(chunkCount, entries, allocator);
  for (const sector of changed) map.dirty.add(sector);
  const epochMax = Math.max(
    scan.epochMax,
    sectorEpochs.reduce((max, epoch) => Math.max(max, epoch), 0),
  );
  // What is counted up from there could not be told apart any more: commits would be lost.
  if (epochMax > EPOCH_MAX)
    throw new MetadataError(`the epoch ${epochMax} is none that a device comes to`, {
      structure: "compression map and journal",
      field: "epoch",
      byteOffset: JOURNAL_OFFSET,
    });
  return { map, allocator, sectorEpochs, epoch: scan.epoch, epochMax };
}

function memoryFor(
  sectorCount: number,
  binCount: number,
): { sectorEpochs: Float64Array; entries: Uint8Array; allocator: Allocator } {
  try {
    return {
      sectorEpochs: new Float64Array(sectorCount),
      entries: new Uint8Array(sectorCount * SECTOR_ENTRIES * ENTRY_LENGTH),
      allocator: new Allocator(binCount),
    };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new CevError("CEV_NO_MEMORY", "there is not as much memory as the map takes", {
      hint: "larger chunks make it smaller",
      cause: error,
    });
  }
}

/** Puts the changes of the records that count into the entries. Returns the sectors that differ from those on disk then. */
async function replay(
  superblock: Superblock,
  { epoch, recordCount }: JournalScan,
  { eachPage, view, sectorEpochs }: ReplayTarget,
): Promise<Set<number>> {
  const { formatId, halfLength, size, chunkSize } = superblock;
  const changed = new Set<number>();
  const half = halfOf(epoch);
  const offset = JOURNAL_OFFSET + half * halfLength;
  const bad = (position: number, message: string): MetadataError =>
    new MetadataError(`record ${position} of epoch ${epoch} ${message}`, {
      structure: "compression journal",
      byteOffset: offset + position * PAGE_LENGTH,
    });
  let position = 0;
  await eachPage(offset, recordCount * PAGE_LENGTH, (page) => {
    const record = decodeRecord(formatId, half, position, page);
    if (record?.epoch !== epoch) throw bad(position, "reads differently each time");
    for (const { chunk, entry } of record.changes) {
      const issue = chunk < size / chunkSize ? entryIssue(entry, superblock) : `chunk ${chunk}`;
      if (issue !== null) throw bad(position, `names ${issue}`);
      const sector = Math.floor(chunk / SECTOR_ENTRIES);
      // A sector that has all of this epoch already.
      if (sectorEpochs[sector]! >= epoch) continue;
      encodeEntry(view, chunk * ENTRY_LENGTH, entry);
      changed.add(sector);
    }
    position++;
  });
  return changed;
}

interface ReplayTarget {
  readonly eachPage: EachPage;
  readonly view: DataView;
  readonly sectorEpochs: Float64Array;
}

function badMap({ mapOffset }: Superblock, sector: number, message: string): MetadataError {
  return new MetadataError(message, {
    structure: "compression map",
    byteOffset: mapOffset + sector * SECTOR_LENGTH,
    hint: "restore the device from a copy",
  });
}

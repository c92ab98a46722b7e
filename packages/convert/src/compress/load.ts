import { CevError, MetadataError, readBytes } from "@cev/core";
import type { Environment, Layer } from "@cev/core";
import { Allocator } from "./allocator.ts";
import { ChunkMap } from "./chunk-map.ts";
import { ENTRY_LENGTH, Kind, decodeEntry, encodeEntry, entryIssue } from "./entry.ts";
import { scanJournal } from "./journal-scan.ts";
import { decodeMapSector } from "./map-sector.ts";
import { EPOCH_MAX, JOURNAL_OFFSET, SECTOR_ENTRIES, SECTOR_LENGTH } from "./superblock.ts";
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

/** Refuses a map that would take more memory than allowed. */
export function checkMapMemory({ mapLength, binCount }: Superblock, mapMemoryMax: number): void {
  const memory = mapLength + BIN_MEMORY * binCount;
  if (memory <= mapMemoryMax && binCount <= BIN_COUNT_MAX) return;
  const message = `the map takes ${memory} bytes of memory, of at most ${mapMemoryMax}`;
  throw new CevError("CEV_NO_MEMORY", message, {
    hint: "larger chunks make it smaller; or allow more with mapMemoryMax",
  });
}

/** Reads map and journal, and checks all of it. Writes nothing. Throws `CEV_BAD_METADATA`. */
export async function loadMap(
  lower: Layer,
  environment: Environment,
  superblock: Superblock,
): Promise<LoadedMap> {
  const { mapOffset, mapLength, halfLength, size, chunkSize, binCount } = superblock;
  const sectors = await readBytes(lower, environment, mapOffset, mapLength);
  const journal = await readBytes(lower, environment, JOURNAL_OFFSET, 2 * halfLength);
  const sectorCount = mapLength / SECTOR_LENGTH;
  const sectorEpochs = new Float64Array(sectorCount);
  const entries = new Uint8Array(sectorCount * SECTOR_ENTRIES * ENTRY_LENGTH);
  for (let index = 0; index < sectorCount; index++) {
    const at = index * SECTOR_LENGTH;
    const sector = decodeMapSector(index, superblock.formatId, sectors.subarray(at, at + SECTOR_LENGTH));
    if (sector === null) throw badMap(superblock, index, "the sector is damaged");
    sectorEpochs[index] = sector.epoch;
    entries.set(sector.entries, index * SECTOR_ENTRIES * ENTRY_LENGTH);
  }
  const scan = scanJournal(superblock, journal);
  const view = new DataView(entries.buffer);
  const chunkCount = size / chunkSize;
  const changed = new Set<number>();
  for (const { sequence, changes } of scan.records) {
    for (const { chunk, entry } of changes) {
      const issue = chunk < chunkCount ? entryIssue(entry, { chunkSize, binCount }) : `chunk ${chunk}`;
      if (issue !== null)
        throw new MetadataError(`record ${sequence} of epoch ${scan.epoch} names ${issue}`, {
          structure: "compression journal",
        });
      const sector = Math.floor(chunk / SECTOR_ENTRIES);
      // A sector that has all of this epoch already.
      if (sectorEpochs[sector]! >= scan.epoch) continue;
      encodeEntry(view, chunk * ENTRY_LENGTH, entry);
      changed.add(sector);
    }
  }
  const allocator = new Allocator(binCount);
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

function badMap({ mapOffset }: Superblock, sector: number, message: string): MetadataError {
  return new MetadataError(message, {
    structure: "compression map",
    byteOffset: mapOffset + sector * SECTOR_LENGTH,
    hint: "restore the device from a copy",
  });
}

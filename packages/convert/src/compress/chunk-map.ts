import { assert } from "@cev/core";
import type { Allocator } from "./allocator.ts";
import { ENTRY_LENGTH, HOLE, Kind, decodeEntry, encodeEntry } from "./entry.ts";
import type { Entry } from "./entry.ts";
import { SECTOR_ENTRIES } from "./superblock.ts";

/** Changes on their way into the journal. */
export interface TakenChanges {
  readonly changes: ReadonlyMap<number, Entry>;
  /** Runs that a record may name which was not overwritten yet: free once this has succeeded. */
  readonly orphans: readonly Entry[];
}

/**
 * Where every chunk is stored: what the journal and the map on disk say (committed), and what was written since (pending). A run is
 * given back only when no power cut can bring back anything that names it.
 */
export class ChunkMap {
  readonly chunkCount: number;
  /** Map sectors that differ from those on disk. */
  readonly dirty: Set<number>;
  /** Chunks that are stored somewhere, pending ones included. */
  liveCount = 0;
  readonly #committed: Uint8Array;
  readonly #view: DataView;
  readonly #allocator: Allocator;
  readonly #pending = new Map<number, Entry>();
  /** Pending, and perhaps on disk already: named by a record whose write failed. */
  readonly #exposed = new Set<Entry>();
  #orphans: Entry[] = [];
  #taken: TakenChanges | null = null;

  /** `committed`: the entries of all sectors, one behind the other, checked, and their runs taken from the allocator. */
  constructor(chunkCount: number, committed: Uint8Array, allocator: Allocator) {
    this.chunkCount = chunkCount;
    this.dirty = new Set();
    this.#committed = committed;
    this.#view = new DataView(committed.buffer, committed.byteOffset, committed.length);
    this.#allocator = allocator;
    for (let chunk = 0; chunk < chunkCount; chunk++)
      if (this.#view.getUint8(chunk * ENTRY_LENGTH + 6) !== Kind.hole) this.liveCount++;
  }

  get pendingCount(): number {
    return this.#pending.size;
  }

  /** Where a chunk is stored now. */
  entryOf(chunk: number): Entry {
    return this.#pending.get(chunk) ?? decodeEntry(this.#view, chunk * ENTRY_LENGTH);
  }

  /** The committed entries of a map sector, as on disk. */
  entriesOfSector(sector: number): Uint8Array {
    const start = sector * SECTOR_ENTRIES * ENTRY_LENGTH;
    return this.#committed.subarray(start, start + SECTOR_ENTRIES * ENTRY_LENGTH);
  }

  /** A chunk has been written elsewhere, or has become a hole. */
  set(chunk: number, entry: Entry): void {
    const before = this.entryOf(chunk);
    this.liveCount += Number(entry.kind !== Kind.hole) - Number(before.kind !== Kind.hole);
    const superseded = this.#pending.get(chunk);
    // What is on its way into the journal is settled when that has ended.
    if (superseded !== undefined && this.#taken?.changes.get(chunk) !== superseded) this.#drop(superseded);
    this.#pending.set(chunk, entry);
  }

  /** All that is pending, to be put into the journal. It stays pending until `succeed`. */
  take(): TakenChanges {
    assert(this.#taken === null, "one commit at a time");
    this.#taken = { changes: new Map(this.#pending), orphans: this.#orphans };
    this.#orphans = [];
    return this.#taken;
  }

  /** What was taken is durable: what it replaced is free. */
  succeed(): void {
    const { changes, orphans } = this.#taken!;
    this.#taken = null;
    for (const [chunk, entry] of changes) {
      const at = chunk * ENTRY_LENGTH;
      this.#free(decodeEntry(this.#view, at));
      encodeEntry(this.#view, at, entry);
      this.dirty.add(Math.floor(chunk / SECTOR_ENTRIES));
      this.#exposed.delete(entry);
      if (this.#pending.get(chunk) === entry) this.#pending.delete(chunk);
    }
    for (const entry of orphans) this.#free(entry);
  }

  /** What was taken is not known to be durable. `isExposed`: some of it may be, because a record was sent off. */
  fail(isExposed: boolean): void {
    const { changes, orphans } = this.#taken!;
    this.#taken = null;
    this.#orphans.push(...orphans);
    for (const [chunk, entry] of changes) {
      if (isExposed) this.#exposed.add(entry);
      if (this.#pending.get(chunk) !== entry) this.#drop(entry);
    }
  }

  /** A pending entry that has been replaced. */
  #drop(entry: Entry): void {
    if (this.#exposed.delete(entry)) this.#orphans.push(entry);
    else this.#free(entry);
  }

  #free({ kind, firstUnit, unitCount }: Entry): void {
    if (kind !== Kind.hole) this.#allocator.release(firstUnit, unitCount);
  }
}

/** A hole as an object of its own: entries that are pending are told apart by identity. */
export const newHole = (): Entry => ({ ...HOLE });

import { Op, request, writeBytes } from "@cev/core";
import type { Environment, Layer } from "@cev/core";
import type { ChunkMap } from "./chunk-map.ts";
import { RECORD_CHANGES, encodeRecord, halfOf } from "./journal-record.ts";
import type { Change } from "./journal-record.ts";
import type { LoadedMap } from "./load.ts";
import { encodeMapSector } from "./map-sector.ts";
import { JOURNAL_OFFSET, PAGE_LENGTH, SECTOR_LENGTH } from "./superblock.ts";
import type { Superblock } from "./superblock.ts";

// Each is kept in memory, however long the journal is. 1.5 MiB of records.
const RECORDS_MAX = 384;
// Zeroes that are written at once.
const ZEROES_LENGTH = 1_048_576;

/** The most changes that may be pending: as many as half of a half of the journal holds, so that a commit always fits into one. */
export const pendingMaxOf = ({ halfLength }: Superblock): number => recordsMaxOf(halfLength) * RECORD_CHANGES;

const recordsMaxOf = (halfLength: number): number =>
  Math.min(RECORDS_MAX, Math.floor(halfLength / PAGE_LENGTH / 2));

/**
 * Makes what is pending durable: data, then records of the journal, and from time to time the map. One commit at a time; those who
 * come meanwhile share the next.
 */
export class Committer {
  readonly #lower: Layer;
  readonly #environment: Environment;
  readonly #superblock: Superblock;
  readonly #map: ChunkMap;
  readonly #sectorEpochs: Float64Array;
  /** The epoch of which the map in memory holds everything, and the highest that was ever seen. */
  #epoch: number;
  #epochMax: number;
  /** Records of this epoch; -1: no epoch was begun since the device was opened. */
  #position = -1;
  /** Records from `#position` on were sent off, and may be on disk or not. */
  #isRetry = false;
  #running: Promise<void> | null = null;
  #following: Promise<void> | null = null;

  constructor(lower: Layer, environment: Environment, superblock: Superblock, loaded: LoadedMap) {
    this.#lower = lower;
    this.#environment = environment;
    this.#superblock = superblock;
    this.#map = loaded.map;
    this.#sectorEpochs = loaded.sectorEpochs;
    this.#epoch = loaded.epoch;
    this.#epochMax = loaded.epochMax;
  }

  /** Resolves when all that was pending at the time of the call is durable. Rejects with the error of the lower. */
  commit(): Promise<void> {
    // One that waits for its turn takes all that is pending then. Whoever is first after a commit may not come before it.
    if (this.#following !== null) return this.#following;
    if (this.#running === null) return this.#start();
    const start = (): Promise<void> => {
      this.#following = null;
      return this.#start();
    };
    this.#following = this.#running.then(start, start);
    return this.#following;
  }

  /** Commits, and brings the map up to date. */
  async close(): Promise<void> {
    await this.commit();
    if (this.#map.dirty.size > 0) await this.#checkpoint();
  }

  #start(): Promise<void> {
    const running = this.#run().finally(() => {
      if (this.#running === running) this.#running = null;
    });
    this.#running = running;
    return running;
  }

  async #run(): Promise<void> {
    if (this.#map.pendingCount === 0) return this.#flush();
    const { changes } = this.#map.take();
    let isExposed = false;
    try {
      // The data first: what a record names has to be there.
      await this.#flush();
      const { halfLength } = this.#superblock;
      const left = halfLength / PAGE_LENGTH - this.#position;
      // Records that may be on disk are overwritten where they are: nothing else takes them back.
      if (!this.#isRetry && (this.#position < 0 || left < recordsMaxOf(halfLength))) await this.#beginEpoch();
      const records = this.#encode([...changes].map(([chunk, entry]) => ({ chunk, entry })));
      isExposed = true;
      this.#isRetry = true;
      await this.#write(this.#offsetOf(this.#epoch) + this.#position * PAGE_LENGTH, records, true);
      this.#isRetry = false;
      this.#position += records.length / PAGE_LENGTH;
    } catch (error) {
      this.#map.fail(isExposed);
      throw error;
    }
    this.#map.succeed();
  }

  #encode(changes: readonly Change[]): Uint8Array {
    const count = Math.ceil(changes.length / RECORD_CHANGES);
    const bytes = new Uint8Array(count * PAGE_LENGTH);
    for (let index = 0; index < count; index++) {
      const record = encodeRecord(this.#superblock.formatId, {
        epoch: this.#epoch,
        sequence: this.#position + index,
        durableThrough: this.#position - 1,
        changes: changes.slice(index * RECORD_CHANGES, (index + 1) * RECORD_CHANGES),
      });
      bytes.set(record, index * PAGE_LENGTH);
    }
    return bytes;
  }

  /** The map takes over all of the epoch that ends; only then may the other half of the journal be overwritten. */
  async #beginEpoch(): Promise<void> {
    await this.#checkpoint();
    const isFirst = this.#position < 0;
    // The half that is not that of the epoch that counts: a power cut while it is overwritten finds that one whole.
    let next = Math.max(this.#epoch, this.#epochMax) + 1;
    if (this.#epoch > 0 && halfOf(next) === halfOf(this.#epoch)) next++;
    // Records that were torn, or followed a torn one, would come back behind or in the middle of new ones.
    if (isFirst) await this.#zero(this.#offsetOf(next), this.#superblock.halfLength);
    this.#epoch = next;
    this.#epochMax = next;
    this.#position = 0;
  }

  /** Writes the sectors of the map that have changed. They hold everything of the epoch from now on. */
  async #checkpoint(): Promise<void> {
    const { formatId, mapOffset } = this.#superblock;
    const perBlock = Math.max(1, this.#lower.limits.logicalBlockSize / SECTOR_LENGTH);
    const blocks = new Set([...this.#map.dirty].map((sector) => Math.floor(sector / perBlock)));
    for (const block of [...blocks].toSorted((a, b) => a - b)) {
      const bytes = new Uint8Array(perBlock * SECTOR_LENGTH);
      for (let index = 0; index < perBlock; index++) {
        const sector = block * perBlock + index;
        const epoch = this.#map.dirty.has(sector) ? this.#epoch : this.#sectorEpochs[sector]!;
        const entries = this.#map.entriesOfSector(sector);
        bytes.set(encodeMapSector(sector, formatId, { epoch, entries }), index * SECTOR_LENGTH);
      }
      await this.#write(mapOffset + block * bytes.length, bytes, false);
    }
    await this.#flush();
    for (const sector of this.#map.dirty) this.#sectorEpochs[sector] = this.#epoch;
    this.#map.dirty.clear();
  }

  async #zero(offset: number, length: number): Promise<void> {
    const zeroes = new Uint8Array(Math.min(length, ZEROES_LENGTH));
    for (let at = 0; at < length; at += zeroes.length)
      await this.#write(offset + at, zeroes.subarray(0, length - at), false);
    await this.#flush();
  }

  #offsetOf(epoch: number): number {
    return JOURNAL_OFFSET + halfOf(epoch) * this.#superblock.halfLength;
  }

  #write(offset: number, bytes: Uint8Array, isDurable: boolean): Promise<void> {
    return writeBytes(this.#lower, this.#environment, offset, bytes, isDurable);
  }

  #flush(): Promise<void> {
    return request(this.#lower, this.#environment, Op.flush, 0, 0);
  }
}

import { CevError, readBytes, writeBytes } from "@cev/core";
import type { Environment, Layer } from "@cev/core";
import { ChunkCache } from "./chunk-cache.ts";
import { compressChunk, expandChunk } from "./codec.ts";
import { Committer, pendingMaxOf } from "./committer.ts";
import { crc32 } from "./crc32.ts";
import { BIN_UNITS, Kind } from "./entry.ts";
import type { Entry } from "./entry.ts";
import { newHole } from "./chunk-map.ts";
import { slackOf } from "./format.ts";
import type { LoadedMap } from "./load.ts";
import { unitOf } from "./superblock.ts";
import type { Superblock } from "./superblock.ts";
import { Trimmer } from "./trimmer.ts";

const LAYER = "compress";
// Shares of all units that are free: below the first it is told, and above the second it may be told again.
const FREE_TOLD = 0.1;
const FREE_AGAIN = 0.2;

/** Settings of a `ChunkStore`. */
export interface ChunkStoreOptions {
  /** What is free is discarded below. */
  readonly discards: boolean;
  /** Nine tenths of the room of a device that shows more than is sure to fit are in use. */
  readonly onNearlyFull: (() => void) | null;
}

/** Chunks, read and written whole. Nothing that a power cut could bring back is ever overwritten. */
export class ChunkStore {
  readonly #lower: Layer;
  readonly #environment: Environment;
  readonly #superblock: Superblock;
  readonly #loaded: LoadedMap;
  readonly #committer: Committer;
  readonly #trimmer: Trimmer;
  readonly #onNearlyFull: (() => void) | null;
  #isToldFull = false;
  readonly #cache: ChunkCache;
  readonly #reading = new Map<number, Promise<Uint8Array>>();
  readonly #zeroes: Uint8Array;
  readonly #unit: number;
  readonly #pendingMax: number;
  readonly #spareMax: number;
  /** Chunks that are being written, each of which will be pending. */
  #reservedCount = 0;
  /** Those of them for which no room was found yet. */
  #starvedCount = 0;
  /** Chunks that have been written, or cleared. */
  #endedCount = 0;
  /** Those that wait for one of them to end. */
  #waiting: (() => void)[] = [];

  constructor(
    lower: Layer,
    environment: Environment,
    superblock: Superblock,
    loaded: LoadedMap,
    { discards, onNearlyFull }: ChunkStoreOptions,
  ) {
    this.#lower = lower;
    this.#environment = environment;
    this.#superblock = superblock;
    this.#loaded = loaded;
    this.#committer = new Committer(lower, environment, superblock, loaded);
    this.#cache = new ChunkCache(superblock.chunkSize);
    this.#zeroes = new Uint8Array(superblock.chunkSize);
    this.#unit = unitOf(superblock.chunkSize);
    this.#pendingMax = pendingMaxOf(superblock);
    this.#spareMax = slackOf(superblock.binCount) - 1;
    this.#onNearlyFull = isThin(superblock) ? onNearlyFull : null;
    this.#trimmer = new Trimmer({
      lower,
      environment,
      superblock,
      allocator: loaded.allocator,
      isWanted: discards,
      hasRoom: () => this.#hasSpare,
      onRoom: () => this.#wake(),
    });
    this.#tellIfFull();
  }

  isHole(chunk: number): boolean {
    return this.#loaded.map.entryOf(chunk).kind === Kind.hole;
  }

  /** Bytes that are free, in whole units. */
  get freeBytes(): number {
    return this.#loaded.allocator.freeCount * this.#unit;
  }

  /** Resolves when all that was written before is durable. */
  async commit(): Promise<void> {
    await this.#committer.commit();
    this.#trimmer.start();
  }

  /** Commits, brings the map on disk up to date, and discards what is free below. */
  async close(): Promise<void> {
    await this.#trimmer.pause(() => this.#committer.close());
    await this.#trimmer.close();
  }

  /** The chunk, in memory that may not be changed; null: it is a hole. Rejects with `CEV_MEDIUM` where what is stored is damaged. */
  async read(chunk: number): Promise<Uint8Array | null> {
    const entry = this.#loaded.map.entryOf(chunk);
    if (entry.kind === Kind.hole) return null;
    const known = this.#cache.get(chunk);
    if (known !== undefined) return known;
    // Those who read at the same time expand it once. None of them is left when it is changed.
    let reading = this.#reading.get(chunk);
    if (reading === undefined) {
      reading = this.#expand(chunk, entry).finally(() => this.#reading.delete(chunk));
      this.#reading.set(chunk, reading);
    }
    return reading;
  }

  async #expand(chunk: number, entry: Entry): Promise<Uint8Array> {
    const stored = await readBytes(this.#lower, this.#environment, this.#offsetOf(entry), entry.storedLength);
    const { chunkSize } = this.#superblock;
    if (crc32(stored) === entry.checksum) {
      const whole = entry.kind === Kind.raw ? stored : expandChunk(entry.kind, stored, chunkSize);
      if (whole !== null) {
        this.#cache.put(chunk, whole);
        return whole;
      }
    }
    throw new CevError("CEV_MEDIUM", `what is stored of the chunk at ${chunk * chunkSize} is damaged`, {
      layer: LAYER,
      op: "read",
      offset: chunk * chunkSize,
      length: chunkSize,
    });
  }

  /** Stores a chunk. `canBeHole`: one of zeroes takes no room. `isOwn`: nobody changes this memory later. */
  async write(chunk: number, data: Uint8Array, canBeHole: boolean, isOwn = false): Promise<void> {
    if (canBeHole && Buffer.compare(data, this.#zeroes) === 0) return this.clear(chunk);
    const { codec, level, chunkSize } = this.#superblock;
    const packed = compressChunk(codec, level, data);
    const isRaw = Math.ceil(packed.length / this.#unit) >= BIN_UNITS;
    const stored = isRaw ? data : packed;
    const kind = isRaw ? Kind.raw : codec;
    const unitCount = Math.ceil(stored.length / this.#unit);
    await this.#reserve();
    try {
      const firstUnit = await this.#allocate(unitCount, chunk * chunkSize);
      const entry = { kind, firstUnit, unitCount, storedLength: stored.length, checksum: crc32(stored) };
      try {
        await this.#writeUnits(entry, stored);
      } catch (error) {
        this.#loaded.allocator.release(firstUnit, unitCount);
        throw error;
      }
      this.#loaded.map.set(chunk, entry);
      this.#endedCount++;
      if (isOwn) this.#cache.put(chunk, data);
      else this.#cache.drop(chunk);
    } finally {
      this.#unreserve();
    }
  }

  /** Makes a chunk a hole. */
  async clear(chunk: number): Promise<void> {
    if (this.isHole(chunk)) return;
    await this.#reserve();
    this.#loaded.map.set(chunk, newHole());
    this.#endedCount++;
    this.#cache.drop(chunk);
    this.#unreserve();
  }

  async #writeUnits(entry: Entry, stored: Uint8Array): Promise<void> {
    let bytes = stored;
    if (stored.length % this.#unit !== 0) {
      bytes = new Uint8Array(entry.unitCount * this.#unit);
      bytes.set(stored);
    }
    await writeBytes(this.#lower, this.#environment, this.#offsetOf(entry), bytes);
  }

  #offsetOf({ firstUnit }: Entry): number {
    return this.#superblock.dataOffset + firstUnit * this.#unit;
  }

  /** Waits until one more chunk may be pending, and its run in use beside that which it replaces. */
  async #reserve(): Promise<void> {
    const { map } = this.#loaded;
    const hasRoom = (): boolean =>
      map.pendingCount + this.#reservedCount < this.#pendingMax && this.#hasSpare;
    while (!hasRoom()) {
      if (map.pendingCount > 0) await this.commit();
      else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#reservedCount++;
  }

  #unreserve(): void {
    this.#reservedCount--;
    this.#wake();
  }

  /** Whether one run more may be in use beside those of the chunks. */
  get #hasSpare(): boolean {
    const { map, allocator } = this.#loaded;
    return allocator.runCount - map.liveCount + this.#reservedCount < this.#spareMax;
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  async #allocate(unitCount: number, offset: number): Promise<number> {
    const { allocator } = this.#loaded;
    let first = allocator.allocate(unitCount);
    while (first < 0) {
      // A device that shows more than is sure to fit may be full: then what a commit gives back is the last that there is.
      const endedCount = this.#endedCount;
      await this.#committer.commit();
      first = await this.#trimmer.pause(() => allocator.allocate(unitCount));
      // What those have replaced that ended meanwhile, or are still being written, will be given back, too.
      if (first >= 0 || this.#endedCount !== endedCount) continue;
      if (this.#reservedCount - this.#starvedCount <= 1)
        throw new CevError("CEV_NO_SPACE", "no room is left for what was compressed", {
          layer: LAYER,
          op: "write",
          offset,
          hint: "discard what is not needed",
        });
      this.#starvedCount++;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
      this.#starvedCount--;
    }
    this.#tellIfFull();
    return first;
  }

  #tellIfFull(): void {
    const { binCount } = this.#superblock;
    const free = this.#loaded.allocator.freeCount / (binCount * BIN_UNITS);
    if (free >= FREE_AGAIN) this.#isToldFull = false;
    if (free >= FREE_TOLD || this.#isToldFull) return;
    this.#isToldFull = true;
    this.#onNearlyFull?.();
  }
}

/** Whether more is shown than is sure to fit. */
const isThin = ({ size, chunkSize, binCount }: Superblock): boolean =>
  size / chunkSize > binCount - slackOf(binCount);

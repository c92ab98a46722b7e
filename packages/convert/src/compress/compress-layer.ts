import { AsyncLayer, CevError, IoFlag, Op, READ_ONLY_SUPPORT, RangeLock, request, runOf } from "@cev/core";
import type {
  Environment,
  Io,
  Layer,
  LayerDescription,
  Limits,
  RangeLockEntry,
  Run,
  Support,
} from "@cev/core";
import { ChunkStore } from "./chunk-store.ts";
import { requireCodec } from "./codec.ts";
import { checkChunk, checkLower, findSuperblock, writeFormat } from "./format.ts";
import { Gathering, isWhole } from "./gathering.ts";
import type { Gathered, WrittenPart } from "./gathering.ts";
import { checkMapMemory, loadMap } from "./load.ts";
import { MAP_MEMORY_MAX } from "./options.ts";
import type { Superblock } from "./superblock.ts";

// A request of so many chunks is compressed without a pause; a longer one is cut above.
const CHUNKS_MAX = 64;
const CHUNKS_PER_TURN = 8;

/** Settings of a `CompressLayer`. */
export interface CompressLayerOptions {
  readonly superblock: Superblock;
  readonly environment: Environment;
  readonly mapMemoryMax?: number;
  readonly isReadOnly?: boolean;
  /** The superblock was planned, and the device is made when it is opened, if it is still blank. */
  readonly isNew?: boolean;
  /**
   * What a commit has left wholly free is discarded below, beside the work. These are hints: nobody hears of one that fails. Default false; the
   * driver's default is true.
   */
  readonly discards?: boolean;
  /** Of a device that shows more than is sure to fit: nine tenths of its room are in use. Told again when eight were not, in between. */
  readonly onNearlyFull?: () => void;
}

/** A device whose chunks lie compressed on the one below. */
export class CompressLayer extends AsyncLayer {
  readonly name = "compress";
  readonly limits: Limits;
  readonly support: Support;
  readonly superblock: Superblock;
  readonly #lower: Layer;
  readonly #environment: Environment;
  readonly #locks = new RangeLock();
  readonly #gathering = new Gathering();
  readonly #mapMemoryMax: number;
  #isNew: boolean;
  readonly #discards: boolean;
  readonly #onNearlyFull: (() => void) | null;
  #store: ChunkStore | null = null;

  /** Throws where the device below cannot carry the format, or this Node cannot read it. */
  constructor(lower: Layer, options: CompressLayerOptions) {
    super([lower]);
    const { superblock, environment, mapMemoryMax = MAP_MEMORY_MAX, isReadOnly = false } = options;
    const { size, chunkSize, codec } = superblock;
    const { logicalBlockSize, physicalBlockSize } = lower.limits;
    if (!isReadOnly) checkLower(lower);
    checkChunk(chunkSize, logicalBlockSize);
    checkMapMemory(superblock, mapMemoryMax);
    requireCodec(codec);
    this.superblock = superblock;
    this.#lower = lower;
    this.#environment = environment;
    this.#mapMemoryMax = mapMemoryMax;
    this.#isNew = options.isNew ?? false;
    this.#discards = options.discards ?? false;
    this.#onNearlyFull = options.onNearlyFull ?? null;
    this.limits = {
      size,
      logicalBlockSize,
      physicalBlockSize,
      ioLengthMax: CHUNKS_MAX * chunkSize,
      ioLengthPreferred: chunkSize,
      discardGranularity: chunkSize,
    };
    this.support = isReadOnly ? READ_ONLY_SUPPORT : WRITABLE;
  }

  /** Chunks in the units below that are still free. Bytes; 0 while it is closed. */
  get freeBytes(): number {
    return this.#store?.freeBytes ?? 0;
  }

  override async open(): Promise<void> {
    await super.open();
    try {
      if (this.#isNew) await this.#make();
      // What is read now has to be what a power cut would leave: what is free by it is soon overwritten.
      else if (this.support.write !== "none") await request(this.#lower, this.#environment, Op.flush, 0, 0);
      const loaded = await loadMap(this.#lower, this.#environment, this.superblock);
      this.#store = new ChunkStore(this.#lower, this.#environment, this.superblock, loaded, {
        discards: this.#discards,
        onNearlyFull: this.#onNearlyFull,
      });
    } catch (error) {
      this.releaseLowers();
      throw error;
    }
  }

  override async close(): Promise<void> {
    const store = this.#store;
    this.#store = null;
    try {
      if (this.support.write !== "none") await store?.close();
    } finally {
      this.releaseLowers();
    }
  }

  override async read(io: Io): Promise<void> {
    await this.#locked(io, false, (store) => this.#eachPart(io, (part) => readPart(store, io, part)));
  }

  override async write(io: Io): Promise<void> {
    if (this.support.write === "none") throw this.#refusal("write");
    const { chunkSize } = this.superblock;
    const chunk = Math.floor(io.offset / chunkSize);
    const start = io.offset - chunk * chunkSize;
    if (io.length < chunkSize && start + io.length <= chunkSize) {
      const data = io.data.subarray(io.dataOffset, io.dataOffset + io.length);
      await this.#gathering.add(chunk, { start, data }, this.#writeGathered);
      return this.#makeDurable(io);
    }
    await this.#change(io, (store, part) => {
      const data = io.data.subarray(part.dataOffset, part.dataOffset + part.length);
      if (part.length === chunkSize) return store.write(part.chunk, data, true);
      return this.#modify(store, part, [{ start: part.start, data }], true);
    });
  }

  override async writeZeroes(io: Io): Promise<void> {
    if (this.support.write === "none") throw this.#refusal("writeZeroes");
    const canBeHole = (io.flags & IoFlag.noHole) === 0;
    const { chunkSize } = this.superblock;
    const isWhole = io.offset % chunkSize === 0 && io.length % chunkSize === 0;
    if ((io.flags & IoFlag.fastZero) !== 0 && !(isWhole && canBeHole))
      throw new CevError("CEV_NOT_SUPPORTED", "zeroing this is slower than a write", { layer: this.name });
    await this.#change(io, (store, { chunk, start, length }) => {
      if (length < chunkSize)
        return this.#modify(store, { chunk }, [{ start, data: new Uint8Array(length) }], canBeHole);
      return canBeHole ? store.clear(chunk) : store.write(chunk, new Uint8Array(chunkSize), false);
    });
  }

  /** Whole chunks become holes; the edges stay as they are. */
  override async discard(io: Io): Promise<void> {
    if (this.support.discard === "none") throw this.#refusal("discard");
    await this.#change(io, (store, { chunk, length }) =>
      length === this.superblock.chunkSize ? store.clear(chunk) : Promise.resolve(),
    );
  }

  override async flush(): Promise<void> {
    if (this.support.flush === "none") throw this.#refusal("flush");
    await this.#store!.commit();
  }

  runs(offset: number, length: number, countMax: number): readonly Run[] {
    const store = this.#store;
    if (store === null) return runOf("data", length);
    const { chunkSize } = this.superblock;
    const runs: { content: "hole" | "data"; length: number }[] = [];
    const end = offset + length;
    for (let at = offset; at < end;) {
      const chunk = Math.floor(at / chunkSize);
      const content = store.isHole(chunk) ? "hole" : "data";
      const next = Math.min(end, (chunk + 1) * chunkSize);
      const last = runs.at(-1);
      if (last?.content === content) last.length += next - at;
      else if (runs.length === countMax) break;
      else runs.push({ content, length: next - at });
      at = next;
    }
    return runs.flatMap((run) => runOf(run.content, run.length));
  }

  describe(): LayerDescription {
    const options = { discards: this.#discards, mapMemoryMax: this.#mapMemoryMax };
    return { driver: "@cev/convert/compress", options, lowers: [this.#lower.describe()] };
  }

  async #make(): Promise<void> {
    if ((await findSuperblock(this.#lower, this.#environment)) !== "blank")
      throw new CevError("CEV_INVALID", `${this.#lower.name} was blank, and is not any more`, {
        layer: this.name,
      });
    await writeFormat(this.#lower, this.#environment, this.superblock);
    this.#isNew = false;
  }

  async #modify(
    store: ChunkStore,
    { chunk }: { readonly chunk: number },
    parts: readonly WrittenPart[],
    canBeHole: boolean,
  ): Promise<void> {
    const before = await store.read(chunk);
    await store.write(chunk, joined(before, parts, this.superblock.chunkSize), canBeHole, true);
  }

  readonly #writeGathered = async (gathered: Gathered): Promise<void> => {
    const { chunk, parts } = gathered;
    const { chunkSize } = this.superblock;
    const lock = await this.#lock(chunk, 1, true);
    try {
      const store = this.#store!;
      const before = isWhole(parts, chunkSize) ? null : await store.read(chunk);
      this.#gathering.seal(gathered);
      await store.write(chunk, joined(before, parts, chunkSize), true, true);
    } finally {
      this.#gathering.seal(gathered);
      this.#locks.release(lock);
    }
  };

  /** Runs a change of every chunk of a request, and makes it durable where that was asked for. */
  async #change(io: Io, change: (store: ChunkStore, part: Part) => Promise<void>): Promise<void> {
    await this.#locked(io, true, (store) => this.#eachPart(io, (part) => change(store, part)));
    await this.#makeDurable(io);
  }

  /** Some chunks of a request at a time. If one of them fails, the others have ended when that is told: they are in the caller's memory. */
  async #eachPart(io: Io, run: (part: Part) => Promise<void>): Promise<void> {
    const parts = [...this.#partsOf(io)];
    if (parts.length === 1) return run(parts[0]!);
    for (let at = 0; at < parts.length; at += CHUNKS_PER_TURN) {
      // Compressing takes the processor: others get their turn.
      if (at > 0) await new Promise<void>((resolve) => this.#environment.later(resolve));
      const results = await Promise.allSettled(parts.slice(at, at + CHUNKS_PER_TURN).map(run));
      const failed = results.find((result) => result.status === "rejected");
      if (failed !== undefined) throw failed.reason;
    }
  }

  async #makeDurable(io: Io): Promise<void> {
    if ((io.flags & IoFlag.fua) !== 0) await this.#store!.commit();
  }

  async #locked(io: Io, isExclusive: boolean, run: (store: ChunkStore) => Promise<void>): Promise<void> {
    const { chunkSize } = this.superblock;
    const first = Math.floor(io.offset / chunkSize);
    const count = Math.ceil((io.offset + io.length) / chunkSize) - first;
    if (isExclusive) this.#gathering.sealRange(first, count);
    const lock = await this.#lock(first, count, isExclusive);
    try {
      await run(this.#store!);
    } finally {
      this.#locks.release(lock);
    }
  }

  #lock(firstChunk: number, count: number, isExclusive: boolean): Promise<RangeLockEntry> {
    return new Promise((resolve) => this.#locks.acquire(firstChunk, count, isExclusive, resolve, null));
  }

  *#partsOf(io: Io): Generator<Part> {
    const { chunkSize } = this.superblock;
    const end = io.offset + io.length;
    for (let at = io.offset; at < end;) {
      const chunk = Math.floor(at / chunkSize);
      const next = Math.min(end, (chunk + 1) * chunkSize);
      const dataOffset = io.dataOffset + at - io.offset;
      yield { chunk, start: at - chunk * chunkSize, length: next - at, dataOffset };
      at = next;
    }
  }

  #refusal(op: string): CevError {
    return new CevError("CEV_NOT_SUPPORTED", `${op} is not offered here`, { layer: this.name, op });
  }
}

/** The part of a request that lies in one chunk. */
interface Part {
  readonly chunk: number;
  /** From the beginning of the chunk. */
  readonly start: number;
  readonly length: number;
  /** Where it lies in the memory of the request. */
  readonly dataOffset: number;
}

async function readPart(
  store: ChunkStore,
  io: Io,
  { chunk, start, length, dataOffset }: Part,
): Promise<void> {
  const data = await store.read(chunk);
  const target = io.data.subarray(dataOffset, dataOffset + length);
  if (data === null) target.fill(0);
  else target.set(data.subarray(start, start + length));
}

/** Fresh memory with what a chunk holds once these parts of it are written. */
function joined(before: Uint8Array | null, parts: readonly WrittenPart[], chunkSize: number): Uint8Array {
  const whole = new Uint8Array(chunkSize);
  if (before !== null) whole.set(before);
  for (const { start, data } of parts) whole.set(data, start);
  return whole;
}

const WRITABLE: Support = {
  read: "native",
  write: "native",
  flush: "native",
  discard: "native",
  writeZeroes: "native",
  fua: "native",
};

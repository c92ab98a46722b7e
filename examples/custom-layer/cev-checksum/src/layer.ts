import {
  AsyncLayer,
  CevError,
  IoFlag,
  Op,
  RangeLock,
  ioError,
  isCevError,
  narrowSupport,
  readBytes,
  refuse,
  request,
  supportOf,
  writeBytes,
} from "@cev/core";
import type {
  Environment,
  Io,
  Layer,
  LayerDescription,
  Limits,
  Next,
  RangeLockEntry,
  Run,
  Support,
} from "@cev/core";
import { encodeHeader } from "./header.ts";
import type { Header } from "./header.ts";
import { sumOf } from "./sum-block.ts";
import { BYTES_PER_BLOCK, SumTable } from "./sum-table.ts";

const MEMORY_MAX = 67_108_864;
// The sums of one request are computed at one go.
const IO_LENGTH_MAX = 16_777_216;

/** Settings of a `ChecksumLayer`. */
export interface LayerOptions {
  readonly environment: Environment;
  readonly header: Header;
  /** The header was planned: it and the sums are written when the layer is opened. Default: they are there. */
  readonly isNew?: boolean;
  readonly isReadOnly?: boolean;
  /** Bytes of memory that the sums may take. Default 64 MiB. */
  readonly memoryMax?: number;
}

/** Keeps a checksum of every block on the device below, and fails reads of blocks that do not fit theirs. */
export class ChecksumLayer extends AsyncLayer {
  readonly name = "checksum";
  readonly limits: Limits;
  readonly support: Support;
  readonly header: Header;
  readonly #lower: Layer;
  readonly #environment: Environment;
  readonly #isNew: boolean;
  readonly #memoryMax: number;
  readonly #locks = new RangeLock();
  #sums: SumTable | null = null;

  /** Throws where the device below cannot carry the blocks of the header. */
  constructor(lower: Layer, options: LayerOptions) {
    super([lower]);
    const { environment, header, isNew = false, isReadOnly = false, memoryMax = MEMORY_MAX } = options;
    checkLower(lower, header, isReadOnly, memoryMax);
    const { blockSize, blockCount } = header;
    const { limits } = lower;
    this.limits = {
      size: blockCount * blockSize,
      logicalBlockSize: blockSize,
      physicalBlockSize: Math.max(blockSize, limits.physicalBlockSize),
      ioLengthMax: Math.min(IO_LENGTH_MAX, limits.ioLengthMax - (limits.ioLengthMax % blockSize)),
      ioLengthPreferred: Math.max(blockSize, limits.ioLengthPreferred),
      discardGranularity: Math.max(blockSize, limits.discardGranularity),
    };
    const { writeZeroes } = lower.support;
    this.support = isReadOnly
      ? narrowSupport(lower.support, ["read"])
      : {
          ...narrowSupport(lower.support, ["read", "write", "flush", "writeZeroes", "fua"]),
          discard: writeZeroes === "native" ? "native" : "none",
        };
    this.header = header;
    this.#lower = lower;
    this.#environment = environment;
    this.#isNew = isNew;
    this.#memoryMax = memoryMax;
  }

  override async open(): Promise<void> {
    await super.open();
    try {
      const sums = new SumTable(this.#lower, this.#environment, this.header);
      if (this.#isNew) await this.#make(sums);
      // What is read from here on has to be what a power cut would leave.
      else if (this.support.write !== "none") await sums.flush();
      await sums.load(this.header);
      this.#sums = sums;
    } catch (error) {
      this.releaseLowers();
      throw error;
    }
  }

  override async close(): Promise<void> {
    const sums = this.#sums;
    this.#sums = null;
    try {
      if (this.support.write !== "none") await sums?.reduce();
    } finally {
      this.releaseLowers();
    }
  }

  override submit(io: Io): void {
    if (supportOf(this.support, io.op) === "none") return refuse(io, this);
    if (io.op !== Op.read) return super.submit(io);
    this.#locks.acquire(io.offset, io.length, false, readLocked, { layer: this, io, isAgain: false });
  }

  override async write(io: Io, next: Next): Promise<void> {
    const { blockSize } = this.header;
    await this.#change(io, next, (at) =>
      sumOf(io.data.subarray(io.dataOffset + at, io.dataOffset + at + blockSize)),
    );
  }

  override async writeZeroes(io: Io, next: Next): Promise<void> {
    const sum = sumOf(new Uint8Array(this.header.blockSize));
    await this.#change(io, next, () => sum);
  }

  /** What is discarded below may hold anything afterwards, for which there is no sum. Zeroes may be a hole as well. */
  override async discard(io: Io, next: Next): Promise<void> {
    io.op = Op.writeZeroes;
    try {
      await this.writeZeroes(io, next);
    } finally {
      io.op = Op.discard;
    }
  }

  override async flush(io: Io, next: Next): Promise<void> {
    await this.#sums!.duringFlush(() => next(io));
  }

  /** What lies below, as far as nothing would be noticed that is wrong with it. */
  runs(offset: number, length: number, countMax: number): readonly Run[] {
    const { blockSize, dataOffset } = this.header;
    const runs: (Run & { length: number })[] = [];
    const end = Math.ceil((offset + length) / blockSize);
    const sumOfZeroes = sumOf(new Uint8Array(blockSize));
    for (let block = Math.floor(offset / blockSize); block < end; block++) {
      const known = this.#sums?.known(block);
      const content = known === sumOfZeroes ? "asBelow" : "recoded";
      const start = Math.max(offset, block * blockSize);
      const partLength = Math.min(offset + length, (block + 1) * blockSize) - start;
      const last = runs.at(-1);
      if (last?.content === content) last.length += partLength;
      else if (runs.length === countMax) break;
      else runs.push({ content, length: partLength, lower: this.#lower, lowerOffset: dataOffset + start });
    }
    return runs;
  }

  describe(): LayerDescription {
    return {
      driver: "cev-checksum",
      options: { memoryMax: this.#memoryMax },
      lowers: [this.#lower.describe()],
    };
  }

  /** @internal The lock is held: the request goes down, and what comes back is checked. */
  submitRead(pass: ReadPass): void {
    pass.io.pushAction(checkRead, pass);
    pass.io.offset += this.header.dataOffset;
    this.#lower.submit(pass.io);
  }

  /** @internal */
  checkRead(pass: ReadPass): void {
    const { io } = pass;
    io.offset -= this.header.dataOffset;
    const bad = this.#firstBad(io);
    if (bad !== null) {
      // A cable or a controller may have failed, and not the disk: whoever asks again knows more.
      if (!pass.isAgain && io.error === null && !io.isCancelRequested) {
        pass.isAgain = true;
        io.restart();
        return this.submitRead(pass);
      }
      const { blockSize } = this.header;
      io.error ??= ioError(io, "CEV_MEDIUM", `block ${bad} does not fit its checksum`, this.name);
      io.transferred = bad * blockSize - io.offset;
    }
    this.#locks.release(pass.lock!);
  }

  /** The first block that was read and does not fit its sum, by its number. */
  #firstBad(io: Io): number | null {
    const { blockSize } = this.header;
    // Of a read that failed in the middle, whole blocks were read before that.
    const wholeCount = Math.floor(io.transferred / blockSize);
    io.transferred = wholeCount * blockSize;
    const first = io.offset / blockSize;
    for (let count = 0; count < wholeCount; count++) {
      const at = io.dataOffset + count * blockSize;
      const sum = sumOf(io.data.subarray(at, at + blockSize));
      if (!this.#sums!.fits(first + count, sum)) return first + count;
    }
    return null;
  }

  /** The blocks of a request get other contents, with the sums that `newSum` gives for the one at a byte of the request. */
  async #change(io: Io, next: Next, newSum: (at: number) => number): Promise<void> {
    const { blockSize } = this.header;
    const sums = this.#sums!;
    const first = io.offset / blockSize;
    const count = io.length / blockSize;
    const lock = await this.#lock(io);
    try {
      await this.#prepare(sums, first, count);
      for (let index = 0; index < count; index++) sums.offer(first + index, newSum(index * blockSize));
      try {
        await sums.commit(first, count);
        if (io.isCancelRequested)
          throw ioError(io, "CEV_CANCELLED", "cancelled before its data was written", this.name);
      } catch (error) {
        for (let index = 0; index < count; index++) sums.withdraw(first + index);
        throw error;
      }
      await this.#submitBelow(io, next);
      const isDurable = (io.flags & IoFlag.fua) !== 0;
      for (let index = 0; index < count; index++) sums.accept(first + index, isDurable);
    } finally {
      this.#locks.release(lock);
    }
  }

  /** What the blocks hold now has to be known and durable: then their other sum is free for a new one. */
  async #prepare(sums: SumTable, first: number, count: number): Promise<void> {
    for (let block = first; block < first + count; block++)
      if (sums.isOpen(block)) sums.settle(block, await this.#sumBelow(sums, block));
    for (let block = first; block < first + count; block++)
      if (sums.isVolatile(block)) return await sums.flush();
  }

  /** The sum of what a block holds. Null: it cannot be read, so that nothing of it is left to be kept. */
  async #sumBelow(sums: SumTable, block: number): Promise<number | null> {
    const { blockSize, dataOffset } = this.header;
    try {
      for (let isAgain = false; ; isAgain = true) {
        const at = dataOffset + block * blockSize;
        const sum = sumOf(await readBytes(this.#lower, this.#environment, at, blockSize));
        if (isAgain || sums.fits(block, sum)) return sum;
      }
    } catch (error) {
      if (isCevError(error) && error.code === "CEV_MEDIUM") return null;
      throw error;
    }
  }

  async #submitBelow(io: Io, next: Next): Promise<void> {
    io.offset += this.header.dataOffset;
    try {
      await next(io);
    } finally {
      io.offset -= this.header.dataOffset;
    }
  }

  #lock(io: Io): Promise<RangeLockEntry> {
    return new Promise((granted) => {
      this.#locks.acquire(io.offset, io.length, true, (lock) => granted(lock), null);
    });
  }

  async #make(sums: SumTable): Promise<void> {
    await this.#zeroBelow();
    await sums.clear(this.header, sumOf(new Uint8Array(this.header.blockSize)));
    await sums.flush();
    // The header comes last: a device that was half made is still none.
    const bytes = new Uint8Array(this.header.blockSize);
    bytes.set(encodeHeader(this.header));
    await writeBytes(this.#lower, this.#environment, 0, bytes, true);
  }

  /** Every block has a sum from the beginning, so every block has to hold something that is known. */
  async #zeroBelow(): Promise<void> {
    const { dataOffset, blockSize, blockCount } = this.header;
    const { limits, support } = this.#lower;
    const step = Math.min(IO_LENGTH_MAX, limits.ioLengthMax - (limits.ioLengthMax % blockSize));
    const end = dataOffset + blockCount * blockSize;
    for (let at = dataOffset; at < end; at += step) {
      const length = Math.min(step, end - at);
      if (support.writeZeroes === "none")
        await writeBytes(this.#lower, this.#environment, at, new Uint8Array(length));
      else await request(this.#lower, this.#environment, Op.writeZeroes, at, length);
    }
  }
}

/** A read on its way. */
interface ReadPass {
  readonly layer: ChecksumLayer;
  readonly io: Io;
  isAgain: boolean;
  lock?: RangeLockEntry;
}

function readLocked(lock: RangeLockEntry, pass: ReadPass): void {
  pass.lock = lock;
  pass.layer.submitRead(pass);
}

function checkRead(_io: Io, pass: ReadPass): void {
  pass.layer.checkRead(pass);
}

function checkLower(
  lower: Layer,
  { blockSize, blockCount }: Header,
  isReadOnly: boolean,
  memoryMax: number,
): void {
  const { logicalBlockSize, physicalBlockSize } = lower.limits;
  if (blockSize < logicalBlockSize)
    throw new CevError(
      "CEV_INVALID",
      `sums of ${blockSize} bytes do not go with blocks of ${logicalBlockSize}`,
      {
        hint: "the device was made on one with smaller blocks",
      },
    );
  if (blockCount * BYTES_PER_BLOCK > memoryMax)
    throw new CevError("CEV_NO_MEMORY", `the sums take ${blockCount * BYTES_PER_BLOCK} bytes of memory`, {
      hint: "allow that with memoryMax, or make the device with larger blocks",
    });
  if (isReadOnly) return;
  if (blockSize > physicalBlockSize)
    throw new CevError("CEV_NOT_SUPPORTED", `a power cut could tear blocks of ${blockSize} bytes here`, {
      hint: `${lower.name} writes ${physicalBlockSize} bytes whole or not at all; read-only it can be opened`,
    });
  if (lower.support.write === "none") throw new CevError("CEV_READ_ONLY", `${lower.name} cannot be written`);
  if (lower.support.flush === "none")
    throw new CevError("CEV_NOT_SUPPORTED", `${lower.name} has no flush: a power cut could lose anything`);
}

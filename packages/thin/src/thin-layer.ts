import {
  CompoundIoPool,
  LayerBase,
  Op,
  READ_ONLY_SUPPORT,
  combineLimits,
  concatenate,
  formatError,
  ioError,
  isCevError,
  refuse,
  runAsBelow,
  runOf,
} from "@cev/core";
import type { Io, Json, Layer, LayerDescription, Limits, Run, SubmitTarget, Support } from "@cev/core";
import { ChunkRun } from "./metadata/mapping.ts";
import type { ChunkMapping } from "./metadata/mapping.ts";

/** What a `ThinLayer` is made of. */
export interface ThinLayerOptions {
  /** "thin", for people. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Bytes. */
  readonly chunkSize: number;
  readonly mapping: ChunkMapping;
  readonly metadata: Layer;
  readonly data: Layer;
  /** Holds what was never written here, as far as it reaches; null: zeroes. */
  readonly externalOrigin: Layer | null;
  /** For `describe`: the driver's options that lead to this volume. */
  readonly description: { readonly [key: string]: Json };
}

/** One volume of a thin pool, to be read. Chunks that it does not have are zeroes, or those of an external origin. */
export class ThinLayer extends LayerBase {
  readonly name: string;
  readonly limits: Limits;
  readonly support: Support = READ_ONLY_SUPPORT;
  readonly #options: ThinLayerOptions;
  readonly #parts: CompoundIoPool = new CompoundIoPool(this);
  readonly #run = new ChunkRun();

  constructor(options: ThinLayerOptions) {
    const { size, chunkSize, metadata, data, externalOrigin } = options;
    const holders = externalOrigin === null ? [data] : [data, externalOrigin];
    super([metadata, ...holders]);
    this.name = options.name;
    this.#options = options;
    this.limits = {
      ...combineLimits(
        size,
        holders.map(({ limits }) => limits),
      ),
      ioLengthPreferred: chunkSize,
    };
  }

  submit(io: Io): void {
    if (io.op !== Op.read) return refuse(io, this);
    this.#read(io);
  }

  /** Chunks that it does not have are holes, or what an external origin has there. */
  runs(offset: number, length: number, countMax: number): readonly Run[] | Promise<readonly Run[]> {
    const run = this.#run;
    const runs: Run[] = [];
    for (let at = offset; at < offset + length && runs.length < countMax;) {
      if (!this.#locate(at, run))
        return runs.length > 0 ? runs : this.#runsAfter(run.missing, offset, length, countMax);
      const part = Math.min(this.#lengthOf(run, at), offset + length - at);
      runs.push(...this.#runAt(run, at, part));
      at += part;
    }
    return runs;
  }

  describe(): LayerDescription {
    const { description } = this.#options;
    return {
      driver: "@cev/thin",
      options: description,
      lowers: this.lowers.map((lower) => lower.describe()),
    };
  }

  #read(io: Io): void {
    const run = this.#run;
    try {
      // All of the way must be known before the first part is on it.
      for (let at = io.offset; at < io.offset + io.length;) {
        if (!this.#locate(at, run)) return this.#load(io, run.missing);
        const length = this.#lengthOf(run, at);
        if (at === io.offset && length >= io.length) return this.#pass(io, run);
        at += length;
      }
    } catch (error) {
      return this.#fail(io, error);
    }
    this.#split(io, run);
  }

  #locate(offset: number, run: ChunkRun): boolean {
    return this.#options.mapping.locate(Math.floor(offset / this.#options.chunkSize), run);
  }

  /** Bytes from an offset to the end of the run that its chunk begins, or of the external origin within it. */
  #lengthOf({ count, dataChunk }: ChunkRun, offset: number): number {
    const { chunkSize } = this.#options;
    const length = count * chunkSize - (offset % chunkSize);
    const rest = this.#originEnd - offset;
    return dataChunk < 0 && rest > 0 ? Math.min(length, rest) : length;
  }

  /** Where what the external origin holds ends. */
  get #originEnd(): number {
    return this.#options.externalOrigin?.limits.size ?? 0;
  }

  /** Who has what lies at an offset of a run. */
  #targetOf({ dataChunk }: ChunkRun, offset: number): SubmitTarget {
    const { data, externalOrigin } = this.#options;
    if (dataChunk >= 0) return data;
    return offset < this.#originEnd ? externalOrigin! : ZEROES;
  }

  /** The place there. */
  #placeOf({ dataChunk }: ChunkRun, offset: number): number {
    const { chunkSize } = this.#options;
    return dataChunk < 0 ? offset : dataChunk * chunkSize + (offset % chunkSize);
  }

  #runAt(run: ChunkRun, offset: number, length: number): readonly Run[] {
    const { data, externalOrigin } = this.#options;
    if (run.dataChunk >= 0) return runAsBelow(data, this.#placeOf(run, offset), length);
    return offset < this.#originEnd ? runAsBelow(externalOrigin!, offset, length) : runOf("hole", length);
  }

  /** What the tree says once another node of it has been loaded. */
  async #runsAfter(block: number, offset: number, length: number, countMax: number): Promise<readonly Run[]> {
    await this.#options.mapping.load(block);
    return this.runs(offset, length, countMax);
  }

  /** The same `Io` goes on where all of it lies in one place. */
  #pass(io: Io, run: ChunkRun): void {
    const target = this.#targetOf(run, io.offset);
    io.pushAction(putBack, io.offset);
    io.offset = this.#placeOf(run, io.offset);
    target.submit(io);
  }

  #split(io: Io, run: ChunkRun): void {
    const compound = this.#parts.over(io, concatenate);
    const end = io.offset + io.length;
    for (let at = io.offset; at < end;) {
      this.#locate(at, run);
      const length = Math.min(this.#lengthOf(run, at), end - at);
      const dataOffset = io.dataOffset + at - io.offset;
      compound.add(
        this.#targetOf(run, at),
        Op.read,
        this.#placeOf(run, at),
        length,
        io.data,
        dataOffset,
        io.flags,
      );
      at += length;
    }
    compound.submit();
  }

  #load(io: Io, block: number): void {
    this.#options.mapping.load(block).then(
      () => this.#read(io),
      (error: unknown) => this.#fail(io, error),
    );
  }

  #fail(io: Io, error: unknown): void {
    if (!isCevError(error)) throw error;
    io.complete(ioError(io, error.code, formatError(error), this.name, error));
  }
}

/** Chunks that nobody has. */
const ZEROES: SubmitTarget = {
  name: "zeroes",
  submit(io) {
    io.data.fill(0, io.dataOffset, io.dataOffset + io.length);
    io.complete();
  },
};

function putBack(io: Io, offset: number): void {
  io.offset = offset;
}

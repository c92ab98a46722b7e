import { Io, LayerBase, Op, refuse, runOf } from "@cev/core";
import type { Environment, Layer, LayerDescription, Limits, Run, Support } from "@cev/core";
import type { Manifest, TestBench } from "../src/index.ts";

const BLOCK = 512;

/** What a cache does wrongly; nothing of it: a sound one. */
export interface CacheDefect {
  /** A block counts as clean when its write begins, not when it has ended. */
  readonly forgetsEarly?: boolean;
  /** A read looks into the cache when its data has come from below, not before. */
  readonly looksLate?: boolean;
}

const SUPPORT: Support = {
  read: "native",
  write: "native",
  flush: "native",
  fua: "none",
  discard: "none",
  writeZeroes: "none",
};

/** Keeps what is written until it is flushed. */
export class WriteBackLayer extends LayerBase {
  readonly name = "write-back";
  readonly limits: Limits;
  readonly support: Support = SUPPORT;
  readonly #lower: Layer;
  readonly #environment: Environment;
  readonly #defect: CacheDefect;
  readonly #dirty = new Map<number, Uint8Array>();
  #flushing: Promise<void> = Promise.resolve();

  constructor(lower: Layer, environment: Environment, defect: CacheDefect) {
    super([lower]);
    this.limits = lower.limits;
    this.#lower = lower;
    this.#environment = environment;
    this.#defect = defect;
  }

  submit(io: Io): void {
    switch (io.op) {
      case Op.read:
        return this.#read(io);
      case Op.write:
        return this.#write(io);
      case Op.flush: {
        const flushed = this.#flushing.then(() => this.#flush());
        this.#flushing = flushed.catch(() => undefined);
        flushed.then(
          () => io.complete(),
          () => io.fail("CEV_IO", "not everything could be written", this.name),
        );
        return;
      }
      default:
        refuse(io, this);
    }
  }

  /** Writes what is left. */
  override async close(): Promise<void> {
    try {
      await this.#flushing.then(() => this.#flush());
    } finally {
      await super.close();
    }
  }

  runs(_offset: number, length: number): readonly Run[] {
    return runOf("data", length);
  }

  describe(): LayerDescription {
    return { driver: "write-back", options: {}, lowers: [this.#lower.describe()] };
  }

  #read(io: Io): void {
    const before = this.#defect.looksLate === true ? null : new Map(this.#dirty);
    io.pushAction((done) => {
      if (done.error !== null) return;
      for (const blocks of before === null ? [this.#dirty] : [before, this.#dirty])
        for (let at = 0; at < done.length; at += BLOCK) {
          const block = blocks.get(done.offset + at);
          if (block !== undefined) done.data.set(block, done.dataOffset + at);
        }
    }, null);
    this.#lower.submit(io);
  }

  #write(io: Io): void {
    for (let at = 0; at < io.length; at += BLOCK) {
      const from = io.dataOffset + at;
      this.#dirty.set(io.offset + at, io.data.slice(from, from + BLOCK));
    }
    io.complete();
  }

  async #flush(): Promise<void> {
    for (const [offset, block] of [...this.#dirty]) {
      if (this.#defect.forgetsEarly === true) this.#dirty.delete(offset);
      await this.#send(Op.write, offset, block);
      if (this.#dirty.get(offset) === block) this.#dirty.delete(offset);
    }
    await this.#send(Op.flush, 0, new Uint8Array(0));
  }

  #send(op: Op, offset: number, data: Uint8Array): Promise<void> {
    const io = new Io(this.#environment.runQueue).prepare(op, offset, data.length, data);
    const ended = new Promise<void>((resolve, reject) => {
      io.wait(() => {
        if (io.error === null) resolve();
        else reject(io.error);
      }, null);
    });
    this.#lower.submit(io);
    return ended;
  }
}

/** For a subject: the cache over a disk. */
export function createCache(defect: CacheDefect): (bench: TestBench) => Promise<Layer> {
  return (bench) =>
    Promise.resolve(new WriteBackLayer(bench.lower({ size: 65_536 }), bench.environment, defect));
}

export const cacheManifest: Manifest = {
  support: SUPPORT,
  skip: { errors: "what it keeps it takes with no lower left, too" },
};

import {
  CompoundIoPool,
  LayerBase,
  Op,
  READ_ONLY_SUPPORT,
  RangeLock,
  assert,
  combineLimits,
  combineSupport,
  isCevError,
  refuse,
  request,
  runOf,
} from "@cev/core";
import type {
  Collation,
  CompoundIo,
  Environment,
  Io,
  Layer,
  LayerDescription,
  Limits,
  Problem,
  Run,
  Support,
  Timer,
} from "@cev/core";
import { readMirror } from "./mirror-read.ts";
import { MirrorSync } from "./mirror-sync.ts";
import { MirrorWrite } from "./mirror-write.ts";
import { RegionLog } from "./region-log.ts";

// A region that was written is called clean so long after: most are written more than once.
const CLEAN_DELAY_MS = 1000;

/** What a `MirrorLayer` is made of. */
export interface MirrorOptions {
  /** "vg0/root". */
  readonly name: string;
  readonly environment: Environment;
  /** Bytes. */
  readonly size: number;
  readonly regionSize: number;
  /** In their order, of which the first counts where they differ; null: missing. */
  readonly images: readonly (Layer | null)[];
  /** Where it is kept which regions are clean; null: in memory, so that after each opening all are copied anew. */
  readonly log: Layer | null;
  /** The log is missing: nothing is known of what is in sync. */
  readonly isLogMissing: boolean;
  /** Without the first image the others are read also where they are not known to hold the same. Default false. */
  readonly isForced?: boolean;
  readonly isReadOnly: boolean;
  readonly report: (problem: Problem) => void;
}

/**
 * Copies of a volume that a log of regions keeps alike (dm-mirror). The first image counts: a region that is not in sync is
 * read from it alone, and copied from it to the others. A write goes to all images, after the log has its regions as dirty.
 *
 * An image other than the first that fails is left out from then on, and no region written since is called clean. A write
 * that the first image does not take fails: whoever opens the volume next, the kernel included, copies from that one.
 */
export class MirrorLayer extends LayerBase {
  readonly name: string;
  readonly limits: Limits;
  readonly support: Support;
  readonly environment: Environment;
  readonly size: number;
  readonly regionSize: number;
  readonly images: readonly (Layer | null)[];
  readonly compounds: CompoundIoPool = new CompoundIoPool(this);
  /** Requests that write, and the copying of regions: each holds the bytes it works on. */
  readonly locks: RangeLock = new RangeLock();
  readonly #options: MirrorOptions;
  readonly #failed: boolean[];
  readonly #sync: MirrorSync;
  #log: RegionLog | null = null;
  #timer: Timer | null = null;
  #cleaning: Promise<void> | null = null;

  constructor(options: MirrorOptions) {
    const { name, environment, size, regionSize, images, log } = options;
    const present = images.filter((image) => image !== null);
    assert(present.length > 0 && size > 0 && regionSize > 0, "a mirror has an image and a size");
    super(log === null ? present : [...present, log]);
    this.name = name;
    this.environment = environment;
    this.size = size;
    this.regionSize = regionSize;
    this.images = images;
    this.#options = options;
    this.#failed = images.map(() => false);
    this.limits = combineLimits(
      size,
      present.map((image) => image.limits),
    );
    const support = combineSupport(present.map((image) => image.support));
    const canWrite =
      !options.isReadOnly &&
      images[0] !== null &&
      !options.isLogMissing &&
      support.write !== "none" &&
      log?.support.write !== "none";
    // What a discard leaves is each image's own affair; zeroes keep them alike.
    const zeroes = support.writeZeroes === "native" ? "native" : "none";
    this.support = canWrite ? { ...support, discard: zeroes, writeZeroes: zeroes } : READ_ONLY_SUPPORT;
    this.#sync = new MirrorSync(this);
  }

  /** Which regions are in sync, and which the log calls clean. Only while it is open. */
  get log(): RegionLog {
    assert(this.#log !== null, "a mirror is open while it works");
    return this.#log;
  }

  /** Whether an image may stand in for the first in some regions. */
  canStandIn(firstRegion: number, lastRegion: number): boolean {
    const isBelieved = this.#options.isForced === true && this.images[0] === null;
    return isBelieved || this.log.isInSync(firstRegion, lastRegion);
  }

  get regionCount(): number {
    return Math.ceil(this.size / this.regionSize);
  }

  /** Claims the images, reads the log, and begins to copy what is not in sync. */
  override async open(): Promise<void> {
    await super.open();
    const isReadOnly = this.support.write === "none";
    try {
      this.#log = await RegionLog.open(
        { environment: this.environment, layer: this.#options.log, regionCount: this.regionCount },
        isReadOnly,
      );
    } catch (error) {
      this.releaseLowers();
      throw error;
    }
    this.#failed.fill(false);
    if (!isReadOnly) this.#sync.start();
  }

  submit(io: Io): void {
    switch (io.op) {
      case Op.read:
        return readMirror(this, io);
      case Op.write:
        if (this.support.write === "none") return refuse(io, this);
        return new MirrorWrite(this, io, Op.write).start();
      case Op.discard:
      case Op.writeZeroes:
        if (this.support.writeZeroes === "none") return refuse(io, this);
        return new MirrorWrite(this, io, Op.writeZeroes).start();
      case Op.flush:
        return this.#flush(io);
      default:
        return refuse(io, this);
    }
  }

  /** The first image is read wherever it is there. Without it nothing is promised of the others. */
  runs(offset: number, length: number): readonly Run[] {
    const [first, ...others] = this.images;
    if (first === null || first === undefined) return runOf("data", length);
    const hasCopies = others.some((_image, index) => this.isUsable(index + 1));
    return [{ length, content: "asBelow", lower: first, lowerOffset: offset, hasCopies }];
  }

  /** Ends the copying, calls clean what is, and gives the images back. */
  override async close(): Promise<void> {
    try {
      await this.#sync.stop();
      // What is being called clean now may see that there is more, and set the clock for it again.
      await this.#cleaning;
      this.#timer?.cancel();
      this.#timer = null;
      if (this.support.write !== "none") await this.#clean();
    } finally {
      this.#log = null;
      await super.close();
    }
  }

  describe(): LayerDescription {
    return {
      driver: "@cev/lvm",
      options: { target: "mirror", regionSize: this.regionSize },
      lowers: this.lowers.map((lower) => lower.describe()),
    };
  }

  /** Resolves once nothing is left to be copied, or nothing more can be. */
  idle(): Promise<void> {
    return this.#sync.idle();
  }

  /** All images take what is written. */
  get isWhole(): boolean {
    return !this.images.includes(null) && !this.#failed.includes(true);
  }

  /** An image takes what is written. */
  isUsable(index: number): boolean {
    return this.images[index] !== null && !this.#failed[index]!;
  }

  /** An image other than the first did not take a write: it is left out until the volume is opened again. */
  imageFailed(index: number, error: { readonly code: string; readonly message: string }): void {
    if (this.#failed[index]!) return;
    this.#failed[index] = true;
    this.report(
      error.code,
      `image ${index} (${this.images[index]!.name}) has failed and is left out: ${error.message}; ` +
        "what is written from now on is copied to it when the volume is opened again",
    );
  }

  /** An image may have lost what was written since it was flushed. Another than the first is left out. */
  flushFailed(index: number, error: { readonly code: string; readonly message: string }): void {
    this.log.doubt();
    if (index === 0) this.#sync.giveUp();
    else this.imageFailed(index, error);
  }

  report(code: string, message: string): void {
    this.#options.report({
      severity: "error",
      code,
      message: `${this.name}: ${message}`,
      device: this.name,
    });
  }

  /** A write has ended. `isSame`: all images took it. */
  ended(first: number, last: number, isSame: boolean): void {
    this.log.end(first, last, isSame);
    if (!isSame && this.isWhole) this.#sync.start();
    this.cleanSoon();
  }

  cleanSoon(): void {
    if (this.#timer !== null || !this.log.hasSettled) return;
    this.#timer = this.environment.clock.after(CLEAN_DELAY_MS, () => {
      this.#timer = null;
      this.#cleaning = this.#clean().then(() => {
        this.#cleaning = null;
        if (this.#log !== null) this.cleanSoon();
      });
    });
  }

  #flush(io: Io): void {
    if (this.support.flush === "none") return refuse(io, this);
    const compound = this.compounds.over(io, FLUSH, this);
    for (const [index, image] of this.images.entries())
      if (image !== null && this.isUsable(index))
        compound.add(image, Op.flush, 0, 0, null, 0, io.flags).tag = index;
    compound.submit();
  }

  async #clean(): Promise<void> {
    if (!this.isWhole) return;
    try {
      await this.log.clean(() => this.#flushAll());
    } catch (error) {
      const { code = "CEV_IO", message } = error as { code?: string; message: string };
      this.report(code, `regions stay dirty in the log: ${message}`);
    }
  }

  async #flushAll(): Promise<void> {
    for (const [index, image] of this.images.entries()) {
      if (image === null || image.support.flush === "none") continue;
      await request(image, this.environment, Op.flush, 0, 0).catch((error: unknown) => {
        if (isCevError(error)) this.flushFailed(index, error);
        throw error;
      });
    }
  }
}

/** Of a flush the first image decides; another that fails it is left out. */
const FLUSH: Collation = {
  name: "mirror flush",
  ended(compound, { io, tag }) {
    const layer = compound.context as MirrorLayer;
    if (io.error !== null && io.error.code !== "CEV_CANCELLED") layer.flushFailed(tag, io.error);
  },
  merge(compound) {
    for (const { io, tag } of partsOf(compound))
      if (io.error !== null && (tag === 0 || io.error.code === "CEV_CANCELLED")) compound.io.error = io.error;
  },
};

function partsOf({ subs, subCount }: CompoundIo): CompoundIo["subs"] {
  return subs.slice(0, subCount);
}

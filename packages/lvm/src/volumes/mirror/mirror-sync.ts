import { Op, isCevError, request } from "@cev/core";
import type { RangeLockEntry } from "@cev/core";
import type { MirrorLayer } from "./mirror-layer.ts";

const SLICE_LENGTH_MAX = 262_144;

/** Copies what is not in sync from the first image to the others, in the background. */
export class MirrorSync {
  readonly #mirror: MirrorLayer;
  #running: Promise<void> | null = null;
  #isStopping = false;
  /** It could not go on: not before the volume is opened again. */
  #hasFailed = false;

  constructor(mirror: MirrorLayer) {
    this.#mirror = mirror;
  }

  start(): void {
    if (this.#running !== null || this.#hasFailed || this.#isStopping || !this.#mirror.isWhole) return;
    if (this.#mirror.images.length < 2 || this.#mirror.log.nextUnsynced(0) < 0) {
      this.#noteSingle();
      return;
    }
    this.#running = this.#run().finally(() => (this.#running = null));
  }

  /** The first image does not keep what it is given: it is no use copying from it. */
  giveUp(): void {
    this.#hasFailed = true;
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#running;
    this.#isStopping = false;
    this.#hasFailed = false;
  }

  async idle(): Promise<void> {
    while (this.#running !== null) await this.#running;
  }

  /** A mirror of one image is in sync with itself. */
  #noteSingle(): void {
    const { log, images } = this.#mirror;
    if (images.length > 1) return;
    for (let region = log.nextUnsynced(0); region >= 0; region = log.nextUnsynced(region + 1)) {
      log.beginCopy(region);
      log.endCopy();
    }
  }

  async #run(): Promise<void> {
    const mirror = this.#mirror;
    try {
      for (let from = 0; ;) {
        const region = mirror.log.nextUnsynced(from);
        // Requests that not all images took may have left something behind what was copied already.
        if (region < 0 && from === 0) break;
        from = region + 1;
        if (region < 0) continue;
        if (!(await this.#copyRegion(region))) return;
        mirror.cleanSoon();
      }
    } catch (error) {
      if (!isCevError(error)) throw error;
      this.#hasFailed = true;
      mirror.report(error.code, `the images could not be brought in sync: ${error.message}`);
    }
  }

  /** False: it was told to stop, or cannot go on. */
  async #copyRegion(region: number): Promise<boolean> {
    const { log, regionSize, size, environment, limits } = this.#mirror;
    const start = region * regionSize;
    const end = Math.min(size, start + regionSize);
    const { bufferLengthMax } = environment.buffers;
    const longest = Math.min(SLICE_LENGTH_MAX, bufferLengthMax, limits.ioLengthMax);
    const step = Math.max(limits.logicalBlockSize, longest - (longest % limits.logicalBlockSize));
    log.beginCopy(region);
    for (let at = start; at < end; at += step) {
      if (this.#isStopping || this.#hasFailed || !this.#mirror.isWhole) return false;
      await this.#copySlice(at, Math.min(step, end - at));
    }
    log.endCopy();
    return true;
  }

  async #copySlice(offset: number, length: number): Promise<void> {
    const { locks, images, environment } = this.#mirror;
    const lock = await new Promise<RangeLockEntry>((granted) => {
      locks.acquire(offset, length, true, granted, null);
    });
    const buffer = environment.buffers.tryAcquire(length);
    try {
      const bytes = buffer?.bytes ?? new Uint8Array(length);
      const [first, ...others] = images;
      await request(first!, environment, Op.read, offset, length, bytes);
      for (const [index, image] of others.entries())
        await request(image!, environment, Op.write, offset, length, bytes).catch((error: unknown) => {
          if (isCevError(error)) this.#mirror.imageFailed(index + 1, error);
          throw error;
        });
    } finally {
      if (buffer !== null) environment.buffers.release(buffer);
      locks.release(lock);
    }
  }
}

import { Op } from "@cev/core";
import type { Io } from "@cev/core";
import { ImageLayer } from "../../raid-matrix/image-layer.ts";
import type { Random } from "../../src/random.ts";

const SECTOR = 512;

/** One change of the disk. */
interface Write {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** A disk as it could be found after the power went. */
export interface CutImage {
  /** Which cut, for messages. */
  readonly name: string;
  readonly image: Uint8Array;
}

/** A disk that remembers every write and flush, and shows what power cuts among them would have left. */
export class RecordedDisk extends ImageLayer {
  readonly #initial: Uint8Array;
  /** Null: a flush, which made durable all before it. */
  readonly #events: (Write | null)[] = [];

  constructor(bytes: Uint8Array) {
    super(bytes);
    this.#initial = bytes.slice();
  }

  override submit(io: Io): void {
    const { op, offset, length } = io;
    super.submit(io);
    if (op === Op.flush) this.#events.push(null);
    else if (op !== Op.read) this.#events.push({ offset, bytes: this.bytes.slice(offset, offset + length) });
  }

  /**
   * What cuts would leave: after each write in turn, with all before it and with only what was flushed; and then, up to `count` in all, at any
   * moment, with any of the writes that were not flushed, each whole, missing or torn at sectors.
   */
  *cutImages(random: Random, count: number): Generator<CutImage> {
    const moments = [...this.#events.keys(), this.#events.length];
    const systematic = moments.flatMap((moment) => [
      { moment, keep: "everything" as const },
      { moment, keep: "what was flushed" as const },
    ]);
    const chosen = systematic.length <= count ? systematic : random.shuffle(systematic).slice(0, count / 2);
    for (const { moment, keep } of chosen) {
      const image = this.#durableAt(moment);
      if (keep === "everything")
        for (const write of this.#pendingAt(moment)) image.set(write.bytes, write.offset);
      yield { name: `event ${moment} of ${this.#events.length}, ${keep} kept`, image };
    }
    for (let number = chosen.length; number < count; number++) {
      const moment = random.pick(moments);
      const image = this.#durableAt(moment);
      const words: string[] = [];
      // The write that was under way is torn, or not there, or whole.
      const writes = [...this.#pendingAt(moment), ...this.#events.slice(moment, moment + 1)];
      for (const write of writes) if (write !== null) words.push(keepSome(image, write, random));
      yield { name: `event ${moment} of ${this.#events.length}, kept ${words.join(", ")}`, image };
    }
  }

  #durableAt(moment: number): Uint8Array {
    const image = this.#initial.slice();
    const flushed = this.#events.lastIndexOf(null, moment - 1);
    if (moment > 0)
      for (const write of this.#events.slice(0, flushed + 1))
        if (write !== null) image.set(write.bytes, write.offset);
    return image;
  }

  #pendingAt(moment: number): Write[] {
    if (moment === 0) return [];
    const flushed = this.#events.lastIndexOf(null, moment - 1);
    return this.#events.slice(flushed + 1, moment).filter((event) => event !== null);
  }
}

/** Lets a write reach the disk wholly, in part or not at all; in a few words, which. */
function keepSome(image: Uint8Array, { offset, bytes }: Write, random: Random): string {
  const put = (from: number, to: number): void => image.set(bytes.subarray(from, to), offset + from);
  const sectors = Math.ceil(bytes.length / SECTOR);
  const cut = random.below(sectors + 1);
  switch (random.below(5)) {
    case 0:
      return "nothing";
    case 1:
      put(0, bytes.length);
      return "all";
    case 2:
      put(0, cut * SECTOR);
      return `the first ${cut} sectors`;
    case 3:
      put(cut * SECTOR, bytes.length);
      return `all but the first ${cut} sectors`;
    default:
      for (let at = 0; at < bytes.length; at += SECTOR) if (random.below(2) === 0) put(at, at + SECTOR);
      return "some sectors";
  }
}

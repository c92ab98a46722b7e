import { firstDifference, hashOf } from "../bytes.ts";
import type { PowerCutLayer } from "../layers/power-cut-layer.ts";
import type { Random } from "../random.ts";
import type { CachePolicy } from "./volatile-cache.ts";

/** What all disks hold if the power goes at one moment. */
export interface CutState<C> {
  /** Which of the moments, counted from 0. */
  readonly at: number;
  readonly policy: CachePolicy;
  /** Of each disk, in their order. */
  readonly images: readonly Uint8Array[];
  /** What was true at that moment. */
  readonly context: C;
}

/** Settings of a `CutRecorder`. */
export interface CutRecorderOptions<C> {
  readonly random: Random;
  /** Each gives a state of its own at each moment. Default: "none" and "sectors". */
  readonly policies?: readonly CachePolicy[];
  /** Of all moments, at random. Default: all. */
  readonly share?: number;
  /** Of disks that hold the same after several cuts only the first is kept, with its context: when just what they hold counts. Default false. */
  readonly isDistinct?: boolean;
  /** Asked at each moment that is recorded: a copy of the model, how far the work has come. */
  readonly context: () => C;
}

/** Keeps what disks would hold if the power went: before each of their requests that changes anything, and when it is told to. */
export class CutRecorder<C> {
  /** How many moments there were. */
  momentCount = 0;
  readonly states: CutState<C>[] = [];
  readonly #disks: readonly PowerCutLayer[];
  /** What has been kept, by a hash of it. */
  readonly #known = new Map<number, (readonly Uint8Array[])[]>();
  readonly #options: CutRecorderOptions<C>;

  constructor(disks: readonly PowerCutLayer[], options: CutRecorderOptions<C>) {
    this.#disks = disks;
    this.#options = options;
    for (const disk of disks) disk.onChange = () => this.record();
  }

  record(): void {
    const at = this.momentCount++;
    const { random, policies = ["none", "sectors"], share = 1, isDistinct = false, context } = this.#options;
    if (!random.chance(share)) return;
    for (const policy of policies) {
      const images = this.#disks.map((disk) => disk.imageAfterCut(random, policy));
      if (isDistinct && !this.#isNew(images)) continue;
      this.states.push({ at, policy, images, context: context() });
    }
  }

  /** No more moments. */
  stop(): void {
    for (const disk of this.#disks) disk.onChange = null;
  }

  #isNew(images: readonly Uint8Array[]): boolean {
    const hash = images.reduce((sum, image) => Math.imul(sum, 31) ^ hashOf(image), 0);
    const alike = this.#known.get(hash) ?? [];
    if (alike.some((known) => known.every((image, disk) => firstDifference(image, images[disk]!) < 0)))
      return false;
    this.#known.set(hash, [...alike, images]);
    return true;
  }
}

import { createHash } from "node:crypto";
import { Op } from "@cev/core";
import type { Environment, Io } from "@cev/core";
import { PowerCutLayer, Random } from "@cev/test-kit";

/** Never keeps what was not flushed. */
class NothingKept extends Random {
  override chance(): boolean {
    return false;
  }
}

/** What of the writes that were not flushed is on the disks after a power cut. */
export type CutKind = "nothing" | "everything" | "some";

/** What the disks hold after a power cut at one moment. */
export interface CutState {
  /** How many requests that change something came before. */
  readonly at: number;
  readonly kind: CutKind;
  readonly images: readonly Uint8Array[];
}

/**
 * Disks with a volatile cache that keep, before every request that changes something, what a power cut would leave of them:
 * nothing, everything, or some sectors of what was not flushed. States that are equal are kept once.
 */
export class RecordedDisks {
  readonly layers: readonly PowerCutLayer[];
  readonly states: CutState[] = [];
  readonly #random: Random;
  readonly #seen = new Set<string>();
  #count = 0;

  constructor(environment: Environment, images: readonly Uint8Array[], seed: number) {
    this.#random = new Random(seed);
    this.layers = images.map((contents) => new RecordedDisk(environment, contents, () => this.record()));
  }

  /** Keeps what is left if the power goes now. */
  record(): void {
    const nothing = new NothingKept(1);
    this.#keep("nothing", (layer) => layer.imageAfterCut(nothing));
    this.#keep("everything", (layer) => layer.contents);
    this.#keep("some", (layer) => layer.imageAfterCut(this.#random));
    this.#count++;
  }

  #keep(kind: CutKind, imageOf: (layer: PowerCutLayer) => Uint8Array): void {
    const images = this.layers.map(imageOf);
    const hash = createHash("sha1");
    for (const bytes of images) hash.update(bytes);
    const key = hash.digest("hex");
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    this.states.push({ at: this.#count, kind, images });
  }
}

class RecordedDisk extends PowerCutLayer {
  readonly #onChange: () => void;

  constructor(environment: Environment, contents: Uint8Array, onChange: () => void) {
    super(environment, { size: contents.length, contents });
    this.#onChange = onChange;
  }

  override submit(io: Io): void {
    if (io.op !== Op.read) this.#onChange();
    super.submit(io);
  }
}

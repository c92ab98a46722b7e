import { createHash } from "node:crypto";
import type { Environment } from "@cev/core";
import { PowerCutLayer, Random } from "@cev/test-kit";

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
    this.layers = images.map(
      (contents) => new PowerCutLayer(environment, { size: contents.length, contents }),
    );
    for (const layer of this.layers) layer.onChange = () => this.record();
  }

  /** Keeps what is left if the power goes now. */
  record(): void {
    this.#keep("nothing", (layer) => layer.imageAfterCut(this.#random, "none"));
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

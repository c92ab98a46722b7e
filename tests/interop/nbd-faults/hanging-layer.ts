import { LayerBase, Op, refuse } from "@cev/core";
import type { Io, Layer, LayerDescription, Limits, Support } from "@cev/core";
import type { Random } from "../src/random.ts";

/** Holds every request for a while, as a disk does that answers nothing, and then lets them go in any order. */
export class HangingLayer extends LayerBase {
  readonly name = "hanging";
  readonly limits: Limits;
  readonly support: Support;
  readonly #lower: Layer;
  readonly #random: Random;
  #isHanging = false;
  #held: Io[] = [];

  constructor(lower: Layer, random: Random) {
    super([lower]);
    this.#lower = lower;
    this.#random = random;
    this.limits = lower.limits;
    this.support = lower.support;
  }

  hang(): void {
    this.#isHanging = true;
  }

  goOn(): void {
    this.#isHanging = false;
    const held = this.#random.shuffle(this.#held);
    this.#held = [];
    for (const io of held) this.#lower.submit(io);
  }

  submit(io: Io): void {
    if (io.op > Op.writeZeroes) return refuse(io, this);
    if (this.#isHanging) this.#held.push(io);
    else this.#lower.submit(io);
  }

  describe(): LayerDescription {
    return { driver: "hanging", options: {}, lowers: [this.#lower.describe()] };
  }
}

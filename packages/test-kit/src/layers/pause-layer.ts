import { LayerBase, Op, refuse, runAsBelow } from "@cev/core";
import type { Io, Layer, LayerDescription, Limits, Run, Support } from "@cev/core";
import { HeldRequest } from "./held-request.ts";

/** Keeps requests back while it is told to, and lets them go on in their order. */
export class PauseLayer extends LayerBase {
  readonly name = "pause";
  readonly limits: Limits;
  readonly support: Support;
  readonly #lower: Layer;
  readonly #waiting = new Set<HeldRequest>();
  #isPaused = false;
  #belowCount = 0;
  #onQuiet: (() => void)[] = [];

  constructor(lower: Layer) {
    super([lower]);
    this.limits = lower.limits;
    this.support = lower.support;
    this.#lower = lower;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** How many requests are kept back. */
  get waitingCount(): number {
    return this.#waiting.size;
  }

  /** Keeps back what comes from now on. Resolves when nothing is under way below; also when `resume` came first. */
  pause(): Promise<void> {
    this.#isPaused = true;
    if (this.#belowCount === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onQuiet.push(resolve));
  }

  resume(): void {
    this.#isPaused = false;
    this.#tellQuiet();
    // What they cause may pause again: then the rest stays.
    for (const held of this.#waiting) {
      if (this.isPaused) return;
      this.#waiting.delete(held);
      const io = held.take();
      if (io !== null) this.#pass(io);
    }
  }

  submit(io: Io): void {
    switch (io.op) {
      case Op.read:
      case Op.write:
      case Op.flush:
      case Op.discard:
      case Op.writeZeroes:
        break;
      default:
        return refuse(io, this);
    }
    // What waits goes first, also where the pause has just ended.
    if (!this.#isPaused && this.#waiting.size === 0) return this.#pass(io);
    const held = new HeldRequest(io, this);
    this.#waiting.add(held);
    held.begin();
  }

  runs(offset: number, length: number): readonly Run[] {
    return runAsBelow(this.#lower, offset, length);
  }

  describe(): LayerDescription {
    return { driver: "@cev/test-kit/pause", options: {}, lowers: [this.#lower.describe()] };
  }

  /** @internal */
  dropped(held: HeldRequest): void {
    this.#waiting.delete(held);
  }

  /** @internal */
  left(): void {
    if (--this.#belowCount === 0) this.#tellQuiet();
  }

  #pass(io: Io): void {
    this.#belowCount++;
    io.pushAction(left, this);
    this.#lower.submit(io);
  }

  #tellQuiet(): void {
    const told = this.#onQuiet;
    this.#onQuiet = [];
    for (const resolve of told) resolve();
  }
}

function left(_io: Io, layer: PauseLayer): void {
  layer.left();
}

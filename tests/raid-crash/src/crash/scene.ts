import { Random, SimulatedWorld } from "@cev/test-kit";
import { arraySizeOf } from "../reference.ts";
import type { Shape } from "../shape.ts";
import { History } from "../work/history.ts";
import { drive } from "../work/world.ts";
import { CUT_KINDS, imagesAfterCut } from "./cut.ts";
import type { Cut } from "./cut.ts";
import { disksOf } from "./rig.ts";
import type { Disk } from "./rig.ts";

/** How a scene is set. */
export interface SceneOptions {
  readonly shape: Shape;
  readonly seed: number;
  /** Which part of the possible cuts is judged. */
  readonly share: number;
  readonly images: readonly Uint8Array[];
  /** What the array holds; null: anything. */
  readonly content: Uint8Array | null;
  /** Judges a cut, in a world of its own: here nothing moves meanwhile. */
  readonly onCut: (cut: Cut) => Promise<void>;
}

/** Disks with an array on them, what it may hold, and the cuts that are taken of them. */
export class Scene {
  readonly world: SimulatedWorld;
  readonly disks: readonly Disk[];
  /** What may be there after a cut, and what may be read now. */
  readonly durable: History;
  readonly now: History;
  /** What the array looks like; while it grows, also what it did before. */
  shapes: readonly Shape[];
  outs: ReadonlySet<string> = new Set();
  isDegraded = false;
  readonly #random: Random;
  readonly #options: SceneOptions;
  readonly #pending: Cut[] = [];
  #changeCount = 0;

  constructor(options: SceneOptions) {
    const { shape, seed, images, content } = options;
    this.#options = options;
    this.#random = new Random(seed + 7);
    this.world = new SimulatedWorld({ seed: seed + 1 });
    this.shapes = [shape];
    this.durable = new History(content ?? new Uint8Array(0));
    this.now = new History(content ?? new Uint8Array(0));
    for (const history of [this.durable, this.now]) history.grew(arraySizeOf(shape));
    this.disks = disksOf(this.world.environment, images);
    for (const { platter } of this.disks) platter.onChange = () => this.cut();
  }

  /** The power may go here. */
  cut(): void {
    const index = this.#changeCount++;
    const random = this.#random;
    if (!random.chance(this.#options.share)) return;
    const kind = random.pick(CUT_KINDS);
    const { shapes, outs, isDegraded } = this;
    const images = imagesAfterCut(shapes[0]!, this.disks, kind, random);
    const history = this.durable.copy();
    this.#pending.push({ index, kind, images, history, seen: null, shapes, outs, isDegraded });
  }

  /** Runs until a promise settles; the cuts that are taken meanwhile are judged between two turns. */
  drive<T>(promise: Promise<T>): Promise<T> {
    return drive(this.world, promise, async () => {
      for (const cut of this.#pending.splice(0)) await this.#options.onCut(cut);
    });
  }
}

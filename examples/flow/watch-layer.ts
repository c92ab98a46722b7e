import { LayerBase, Op, refuse } from "@cev/core";
import type { Io, Layer, LayerDescription, Limits, Support } from "@cev/core";
import type { Pacer } from "./pacer.ts";

/** Who is told when a request passes a device, on its way down and on its way back up. */
export interface Watcher {
  /** False: nothing is watched now, and nothing need be delayed. */
  readonly isWatching: boolean;
  /** Called before the device gets the request. */
  down(io: Io, device: string): void;
  /** Called in the request's completion, when all actions below have run and those above have not. */
  up(io: Io, device: string): void;
}

/** Stands around one device of a stack, tells a watcher what passes, and may delay it so that there is something to watch. */
export class WatchLayer extends LayerBase {
  readonly name: string;
  readonly limits: Limits;
  readonly support: Support;
  readonly watcher: Watcher;
  readonly #lower: Layer;
  readonly #pacer: Pacer;
  readonly #delayMs: number;

  constructor(
    lower: Layer,
    options: {
      readonly name: string;
      readonly watcher: Watcher;
      readonly pacer: Pacer;
      readonly delayMs: number;
    },
  ) {
    super([lower]);
    this.name = options.name;
    this.limits = lower.limits;
    this.support = lower.support;
    this.watcher = options.watcher;
    this.#lower = lower;
    this.#pacer = options.pacer;
    this.#delayMs = options.delayMs;
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
    if (this.watcher.isWatching) {
      this.watcher.down(io, this.name);
      io.pushAction(tellWatcher, this);
      if (this.#delayMs > 0) {
        this.#pacer.submit(io, this.#lower, this.#delayMs);
        return;
      }
    }
    this.#lower.submit(io);
  }

  describe(): LayerDescription {
    return this.#lower.describe();
  }
}

function tellWatcher(io: Io, layer: WatchLayer): void {
  layer.watcher.up(io, layer.name);
}

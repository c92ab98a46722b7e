import { Op } from "@cev/core";
import type { Environment, Io, Layer } from "@cev/core";
import { NoOpLayer } from "../layers/no-op-layer.ts";
import { expectThat } from "./subject.ts";

const VEIL = 0xee;
const OTHER_TURNS = 2;
const WRITE_TURNS = 10;

/** A request whose completion is kept back. */
interface KeptBack {
  readonly layer: DeferringLayer;
  found: Uint8Array | null;
}

/**
 * Takes its time with completions: one is deferred to a later turn, the next is held for some turns, and so on. Meanwhile the memory of a
 * read holds something else, so that whoever looks too early finds that.
 */
export class DeferringLayer extends NoOpLayer {
  readonly #environment: Environment;
  #heldCount = 0;
  #submitCount = 0;

  constructor(lower: Layer, environment: Environment) {
    super(lower);
    this.#environment = environment;
  }

  override submit(io: Io): void {
    if (io.op <= Op.writeZeroes) {
      const kept: KeptBack = { layer: this, found: null };
      if (this.#submitCount++ % 2 === 0) io.pushDeferredAction(unveil, kept);
      else {
        io.pushAction(unveil, kept);
        io.pushAction(holdSomeTurns, this.#environment);
      }
      io.pushAction(veil, kept);
    }
    super.submit(io);
  }

  override close(): Promise<void> {
    expectThat(this.#heldCount === 0, `it was closed while ${this.#heldCount} completions were kept back`);
    return super.close();
  }

  /** @internal */
  held(count: number): void {
    this.#heldCount += count;
  }
}

function veil(io: Io, kept: KeptBack): void {
  kept.layer.held(1);
  if (io.op !== Op.read || io.error !== null) return;
  const end = io.dataOffset + io.length;
  kept.found = io.data.slice(io.dataOffset, end);
  io.data.fill(VEIL, io.dataOffset, end);
}

function unveil(io: Io, kept: KeptBack): void {
  kept.layer.held(-1);
  if (kept.found !== null) io.data.set(kept.found, io.dataOffset);
}

/** What was written is told later than all else: whoever does not wait for writes is too early. */
function holdSomeTurns(io: Io, { later }: Environment): void {
  io.hold();
  let turnsLeft = io.op === Op.write ? WRITE_TURNS : OTHER_TURNS;
  const turn = (): void => {
    if (--turnsLeft === 0) io.resume();
    else later(turn);
  };
  later(turn);
}

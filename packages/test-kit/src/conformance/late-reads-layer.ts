import { Op } from "@cev/core";
import type { Io } from "@cev/core";
import { NoOpLayer } from "../layers/no-op-layer.ts";

/** While it is told to, keeps back the end of reads, which are done at once, until they are let go: others overtake them. */
export class LateReadsLayer extends NoOpLayer {
  isCatching = false;
  readonly #held: Io[] = [];

  get heldCount(): number {
    return this.#held.length;
  }

  override submit(io: Io): void {
    if (this.isCatching && io.op === Op.read) io.pushAction(keepBack, this.#held);
    super.submit(io);
  }

  /** Lets go all that it has, and catches no more. */
  release(): void {
    this.isCatching = false;
    for (const io of this.#held.splice(0)) io.resume();
  }
}

function keepBack(io: Io, held: Io[]): void {
  io.hold();
  held.push(io);
}

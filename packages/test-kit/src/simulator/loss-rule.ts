import type { SimulationKind } from "./kind.ts";
import { isDisk } from "./plan.ts";
import type { PlanNode } from "./plan.ts";

/** Which disks a stack can do without. */
export class LossRule {
  readonly #top: PlanNode;
  readonly #kinds: ReadonlyMap<string, SimulationKind>;

  constructor(top: PlanNode, kinds: ReadonlyMap<string, SimulationKind>) {
    this.#top = top;
    this.#kinds = kinds;
  }

  /** True when the stack still works without these disks, counted from the left. */
  allows(lost: readonly number[]): boolean {
    let index = 0;
    const isWhole = (node: PlanNode): boolean => {
      if (isDisk(node)) return !lost.includes(index++);
      const broken = node.lowers.filter((lower) => !isWhole(lower)).length;
      return broken <= (this.#kinds.get(node.kind)!.traits(node.options).lossesMax ?? 0);
    };
    return isWhole(this.#top);
  }
}

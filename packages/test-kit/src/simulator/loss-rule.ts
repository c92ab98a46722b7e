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
    return this.#look(this.#top, lost).isWhole;
  }

  /**
   * All disks of those parts of the stack that do not work without these. Such a part may come back to life without what it knew
   * last, and once more when the rest of it is back: what it holds is in order only when nothing is missing.
   */
  torn(lost: readonly number[]): readonly number[] {
    return this.#look(this.#top, lost).torn;
  }

  #look(top: PlanNode, lost: readonly number[]): { readonly isWhole: boolean; readonly torn: number[] } {
    const torn: number[] = [];
    let index = 0;
    const isWhole = (node: PlanNode): boolean => {
      if (isDisk(node)) return !lost.includes(index++);
      const first = index;
      const broken = node.lowers.filter((lower) => !isWhole(lower)).length;
      if (broken <= (this.#kinds.get(node.kind)!.traits(node.options).lossesMax ?? 0)) return true;
      for (let disk = first; disk < index; disk++) torn.push(disk);
      return false;
    };
    return { isWhole: isWhole(top), torn };
  }
}

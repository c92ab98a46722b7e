import type { SimulationKind } from "./kind.ts";
import { LossRule } from "./loss-rule.ts";
import type { PlanNode } from "./plan.ts";

/** Which disks of a stack are away or out of date, and how many more it can do without. */
export class Absences {
  readonly #losses: LossRule;
  readonly #lost = new Set<number>();
  /** There, and perhaps out of date. */
  readonly #stale = new Set<number>();
  /** Below what refused to open, or to be written, when the stack was opened last. */
  #lacked: readonly number[] = [];
  /** Of parts that did not work for a while. */
  readonly #torn = new Set<number>();

  constructor(top: PlanNode, kinds: ReadonlyMap<string, SimulationKind>) {
    this.#losses = new LossRule(top, kinds);
  }

  /** Something is away or may be out of date. */
  get hasAny(): boolean {
    return this.#lost.size > 0 || this.#stale.size > 0;
  }

  /** A part refused to open, or to be written, when the stack was opened last: the rest does without it. */
  get lacksParts(): boolean {
    return this.#lacked.length > 0;
  }

  /** Disks that are not there. */
  get lost(): Iterable<number> {
    return this.#lost;
  }

  isLost(disk: number): boolean {
    return this.#lost.has(disk);
  }

  isInOrder(disk: number): boolean {
    return !this.#lost.has(disk) && !this.#stale.has(disk);
  }

  /** Where steps were left out it may be one too many. */
  canLose(disk: number): boolean {
    return this.#losses.allows([...this.#away, ...this.#torn, disk]);
  }

  /** Once a part has refused to open it may be more than the stack can do without. */
  get areTooMany(): boolean {
    return !this.#losses.allows(this.#away);
  }

  lose(disk: number): void {
    this.#lost.add(disk);
    this.#noteTorn();
  }

  /** A disk is there, and may be out of date. */
  return(disk: number): void {
    this.#lost.delete(disk);
    this.#stale.add(disk);
    this.#noteTorn();
  }

  returnAll(): void {
    for (const disk of [...this.#lost]) this.return(disk);
  }

  /** The stack was opened. */
  opened(lacked: readonly number[]): void {
    this.#lacked = lacked;
    this.#noteTorn();
  }

  /** All that is there became part of the stack again, and this disk too. */
  tookBack(disk: number): void {
    // Something below may have refused for good.
    if (this.#lacked.length > 0) return;
    this.#stale.delete(disk);
    if (this.#lost.size > 0) return;
    this.#stale.clear();
    this.#torn.clear();
  }

  get #away(): readonly number[] {
    return [...this.#lost, ...this.#stale, ...this.#lacked];
  }

  #noteTorn(): void {
    for (const disk of this.#losses.torn(this.#away)) this.#torn.add(disk);
  }
}

import type { SimulationKind } from "./kind.ts";
import { seatsOf } from "./plan.ts";
import type { PlanNode } from "./plan.ts";

/** A range of a disk. Bytes. */
export interface DiskRange {
  readonly disk: number;
  readonly offset: number;
  readonly length: number;
}

/** Where on which disks altered bits are noticed by what stands on them. */
export function noticedRanges(top: PlanNode, kinds: ReadonlyMap<string, SimulationKind>): DiskRange[] {
  return seatsOf(top).flatMap(({ above, place }, disk) => {
    const detects = above === null ? undefined : kinds.get(above.kind)!.traits(above.options).detects;
    return place === 0 && detects !== undefined ? [{ disk, ...detects }] : [];
  });
}

/** Disks on which something stands that can do without them. */
export function coveredDisks(top: PlanNode, kinds: ReadonlyMap<string, SimulationKind>): number[] {
  return seatsOf(top).flatMap(({ above }, disk) => {
    const lossesMax = above === null ? 0 : (kinds.get(above.kind)!.traits(above.options).lossesMax ?? 0);
    return lossesMax > 0 ? [disk] : [];
  });
}

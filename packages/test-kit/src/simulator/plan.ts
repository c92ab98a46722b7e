import type { Random } from "../random.ts";
import type { KindPlan, SimulationKind } from "./kind.ts";

/** What a simulated disk is like. */
export interface DiskPlan {
  readonly kind: "disk";
  readonly size: number;
  readonly blockSize: number;
  readonly fua: boolean;
  readonly zeroes: boolean;
  readonly discard: boolean;
  /** Requests complete in a later turn. */
  readonly later: boolean;
}

/** A layer with all that is below it. */
export interface LayerPlan extends Omit<KindPlan, "lowers"> {
  readonly size: number;
  readonly lowers: readonly PlanNode[];
}

export type PlanNode = DiskPlan | LayerPlan;

/** A whole stack. */
export interface StackPlan {
  readonly top: PlanNode;
  /** Layers that check the contract stand between any two. */
  readonly isChecked: boolean;
  /** Joints stand between any two, and layers come and go. */
  readonly hasJoints: boolean;
}

const KIB = 1024;
const DEPTH_MAX = 4;
const DISKS_MAX = 12;

/** True for a disk. */
export function isDisk(node: PlanNode): node is DiskPlan {
  return node.kind === "disk";
}

/** Draws a stack of these kinds: all as likely, whatever they stand on. */
export function drawStack(random: Random, kinds: readonly SimulationKind[]): StackPlan {
  for (;;) {
    const size = 4 * KIB * random.between(4, 24);
    const top = drawNode(random, kinds, size, 1);
    if (disksOf(top).length > DISKS_MAX) continue;
    return { top, isChecked: random.chance(0.25), hasJoints: random.chance(0.25) };
  }
}

function drawNode(random: Random, kinds: readonly SimulationKind[], size: number, depth: number): PlanNode {
  if (depth > DEPTH_MAX || (depth > 1 && random.chance(0.35 + 0.15 * depth))) return drawDisk(random, size);
  const kind = random.pick(kinds);
  const plan = kind.plan(random, size);
  const lowers = plan.lowers.map((length) => drawNode(random, kinds, length, depth + 1));
  return { ...plan, size, lowers };
}

function drawDisk(random: Random, size: number): DiskPlan {
  return {
    kind: "disk",
    size: Math.ceil(size / 4096) * 4096,
    blockSize: random.chance(0.2) ? 4096 : 512,
    fua: random.chance(0.7),
    zeroes: random.chance(0.7),
    discard: random.chance(0.7),
    later: random.chance(0.7),
  };
}

/** All disks, from the left. */
export function disksOf(node: PlanNode): DiskPlan[] {
  return isDisk(node) ? [node] : node.lowers.flatMap(disksOf);
}

/** All layers, uppermost first. */
export function layersOf(node: PlanNode): LayerPlan[] {
  return isDisk(node) ? [] : [node, ...node.lowers.flatMap(layersOf)];
}

/** As people write it: "raid(crypt(disk), disk)". */
export function stackText(node: PlanNode): string {
  return isDisk(node) ? "disk" : `${node.kind}(${node.lowers.map(stackText).join(", ")})`;
}

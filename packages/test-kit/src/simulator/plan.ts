import type { Random } from "../random.ts";
import type { KindPlan, SimulationKind } from "./kind.ts";
import type { CutPolicy } from "./step.ts";

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
  /** What is above sees it with all operations and blocks of 512 bytes. */
  readonly adapted: boolean;
  /** The longest request; null: any. */
  readonly ioLengthMax: number | null;
}

/** A layer with all that is below it. */
export interface LayerPlan extends Omit<KindPlan, "lowers"> {
  readonly size: number;
  readonly lowers: readonly PlanNode[];
}

export type PlanNode = DiskPlan | LayerPlan;

/** A whole stack, and how it is run. */
export interface StackPlan {
  readonly top: PlanNode;
  /** Layers that check the contract stand between any two; thorough ones look at all data. */
  readonly checks: "none" | "light" | "thorough";
  /** Joints stand between any two, and layers come and go. */
  readonly hasJoints: boolean;
  /** Requests that touch one another may be under way together. */
  readonly overlaps: boolean;
  /** Tasks of one turn run in random order, or in the order they were asked for. */
  readonly order: "random" | "fifo";
  /** So many requests at once. */
  readonly atOnceMax: number;
  /** Of every power cut; null: as each step says. */
  readonly policy: CutPolicy | null;
}

export const AT_ONCE_MAX = 8;

const BLOCK = 4096;
const DEPTH_MAX = 5;
const DISKS_MAX = 12;

/** True for a disk. */
export function isDisk(node: PlanNode): node is DiskPlan {
  return node.kind === "disk";
}

/** Draws a stack of these kinds: all as likely, whatever they stand on. */
export function drawStack(random: Random, kinds: readonly SimulationKind[]): StackPlan {
  for (;;) {
    const size = BLOCK * (random.chance(0.15) ? random.between(24, 64) : random.between(4, 24));
    const top = drawNode(random, kinds, size, 1);
    if (disksOf(top).length > DISKS_MAX) continue;
    return {
      top,
      checks: random.chance(0.125) ? "thorough" : random.chance(0.125) ? "none" : "light",
      hasJoints: random.chance(0.25),
      overlaps: random.chance(0.125),
      order: random.chance(0.1) ? "fifo" : "random",
      atOnceMax: AT_ONCE_MAX,
      policy: null,
    };
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
  const blockSize = random.chance(0.2) ? 4096 : 512;
  return {
    ...plainDisk(size),
    blockSize,
    fua: random.chance(0.7),
    zeroes: random.chance(0.7),
    discard: random.chance(0.7),
    later: random.chance(0.7),
    adapted: random.chance(0.3),
    // Not always whole blocks.
    ioLengthMax: random.chance(0.1) ? blockSize * random.pick([1, 3, 7]) + random.pick([0, 100]) : null,
  };
}

/** The simplest disk of a size. */
export function plainDisk(size: number): DiskPlan {
  return {
    kind: "disk",
    size: Math.ceil(size / BLOCK) * BLOCK,
    blockSize: 512,
    fua: true,
    zeroes: true,
    discard: true,
    later: false,
    adapted: false,
    ioLengthMax: null,
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

/** Each disk, from the left, with the layer that stands on it and which of its lowers it is. */
export function seatsOf(node: PlanNode): { readonly above: LayerPlan | null; readonly place: number }[] {
  if (isDisk(node)) return [{ above: null, place: 0 }];
  return node.lowers.flatMap((lower, place) => (isDisk(lower) ? [{ above: node, place }] : seatsOf(lower)));
}

/** As people write it: "raid(crypt(disk), disk)". */
export function stackText(node: PlanNode): string {
  return isDisk(node) ? "disk" : `${node.kind}(${node.lowers.map(stackText).join(", ")})`;
}

import type { SimulationKind } from "./kind.ts";
import { disksOf, isDisk, plainDisk } from "./plan.ts";
import type { LayerPlan, PlanNode, StackPlan } from "./plan.ts";

/** Stacks that are a little simpler than one, what takes most away first. */
export function* simplerStacks(
  plan: StackPlan,
  kinds: ReadonlyMap<string, SimulationKind>,
): Generator<StackPlan> {
  for (const top of smaller(plan.top)) yield { ...plan, top };
  if (plan.hasJoints) yield { ...plan, hasJoints: false };
  for (const top of simplerLayers(plan.top, kinds)) yield { ...plan, top };
  if (disksOf(plan.top).some((disk) => !isPlain(disk)))
    yield { ...plan, top: mapped(plan.top, ({ size }) => plainDisk(size)) };
  for (const top of plainDisks(plan.top)) yield { ...plan, top };
  if (plan.checks !== "none") yield { ...plan, checks: "none" };
  if (plan.overlaps) yield { ...plan, overlaps: false };
}

/** Ways to run it that are simpler. */
export function* simplerRuns(plan: StackPlan): Generator<StackPlan> {
  if (plan.order !== "fifo") yield { ...plan, order: "fifo" };
  for (const atOnceMax of [1, 2, 4]) if (atOnceMax < plan.atOnceMax) yield { ...plan, atOnceMax };
  if (plan.policy === null) for (const policy of ["all", "none"] as const) yield { ...plan, policy };
}

/** A layer gives way to what it stands on, or to a disk. */
function* smaller(node: PlanNode): Generator<PlanNode> {
  if (isDisk(node)) return;
  for (const lower of node.lowers) if (lower.size >= node.size) yield lower;
  yield plainDisk(node.size);
  yield* inside(node, smaller);
}

/** Other parameters of a layer, as its kind has them. */
function* simplerLayers(node: PlanNode, kinds: ReadonlyMap<string, SimulationKind>): Generator<PlanNode> {
  if (isDisk(node)) return;
  const { kind, options, lowers, size } = node;
  const plan = { kind, options, lowers: lowers.map((lower) => lower.size) };
  for (const simpler of kinds.get(kind)?.simpler?.(plan) ?? [])
    yield { ...simpler, size, lowers: simpler.lowers.map((length, place) => fitted(lowers[place], length)) };
  yield* inside(node, (lower) => simplerLayers(lower, kinds));
}

/** What stood there, if it is large enough; else a disk. */
function fitted(lower: PlanNode | undefined, size: number): PlanNode {
  return lower !== undefined && lower.size >= size ? lower : plainDisk(size);
}

function* plainDisks(node: PlanNode): Generator<PlanNode> {
  if (!isDisk(node)) yield* inside(node, plainDisks);
  else if (!isPlain(node)) yield plainDisk(node.size);
}

/** A layer with one of its lowers exchanged. */
function* inside(node: LayerPlan, exchange: (lower: PlanNode) => Iterable<PlanNode>): Generator<PlanNode> {
  for (const [place, lower] of node.lowers.entries())
    for (const other of exchange(lower)) yield { ...node, lowers: node.lowers.with(place, other) };
}

function mapped(node: PlanNode, map: (disk: PlanNode) => PlanNode): PlanNode {
  return isDisk(node) ? map(node) : { ...node, lowers: node.lowers.map((lower) => mapped(lower, map)) };
}

function isPlain(node: PlanNode): boolean {
  return JSON.stringify(node) === JSON.stringify(plainDisk(node.size));
}

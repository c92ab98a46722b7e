import type { Environment, NamedLayer, Problem } from "@cev/core";
import type { SyncProgress } from "./array/sync-work.ts";
import type { SpeedLimits } from "./array/speed-limit.ts";
import { planArray } from "./assemble/plan.ts";
import type { ArrayPlan } from "./assemble/plan.ts";
import type { RaidOptions } from "./options.ts";
import { scanTarget } from "./metadata/member-scan.ts";
import { RaidLayer } from "./raid-layer.ts";
import type { RaidLayerOptions } from "./raid-layer.ts";
import { ReshapeLayer } from "./reshape-layer.ts";

/** What `assembleArray` is given. */
export interface AssembleArrayOptions {
  readonly environment: Environment;
  /** In any order; they are open, or can be read without. */
  readonly members: readonly NamedLayer[];
  readonly options?: Omit<RaidOptions, "create" | "dmRaid">;
  /** Nothing is written, not one byte. */
  readonly isReadOnly?: boolean;
  /** Writing with members missing is allowed. */
  readonly canWriteDegraded?: boolean;
  readonly speedLimit?: SpeedLimits;
  /** For what does not stop the work. */
  readonly report?: (problem: Problem) => void;
  /** Called as background work gets on. */
  readonly onProgress?: (progress: SyncProgress) => void;
}

/** An array that was put together, and how. */
export interface AssembledArray {
  /** Not open yet: `Device.open` does that. A `ReshapeLayer` in the middle of a reshape, which is only read. */
  readonly layer: RaidLayer | ReshapeLayer;
  readonly plan: ArrayPlan;
}

/**
 * Puts an array together from the superblocks of its members. Writes nothing. Throws `CEV_NOT_FOUND`, `CEV_AMBIGUOUS`,
 * `CEV_DEGRADED`, `CEV_BAD_METADATA` or `CEV_UNKNOWN_FEATURE` where no array can be opened.
 */
export async function assembleArray(given: AssembleArrayOptions): Promise<AssembledArray> {
  const { environment, members, options = {}, speedLimit, onProgress } = given;
  const report = given.report ?? (() => undefined);
  const candidates = members.map((member) => ({ ...scanTarget(member, environment), layer: member.layer }));
  const plan = await planArray(candidates, {
    ...options,
    degraded: options.degraded === true || given.canWriteDegraded === true,
    isReadOnly: given.isReadOnly === true || members.some(({ layer }) => layer.support.write === "none"),
    report,
  });
  const layer = layerOfPlan(plan, {
    environment,
    report,
    isForced: options.force === true,
    ...(speedLimit === undefined ? {} : { speedLimit }),
    ...(onProgress === undefined ? {} : { onProgress }),
  });
  return { layer, plan };
}

type Common = Pick<
  RaidLayerOptions,
  "environment" | "isForced" | "report" | "speedLimit" | "onProgress" | "stackOptions"
>;

/** The layer for an array that is to be opened as planned. */
export function layerOfPlan(plan: ArrayPlan, common: Common): RaidLayer | ReshapeLayer {
  const { assembly, level, geometry, reshape, bitmap, devices, recoveredTo, byBitmap, spares, returning } =
    plan;
  if (reshape !== null) {
    const [before, after] = [reshape.before, reshape.after].map(
      ({ superblock, members }) =>
        new RaidLayer({ ...common, superblock, devices: members, bitmap: null, isReadOnly: true }),
    );
    const { position, isBackwards, size } = reshape;
    return new ReshapeLayer({ before: before!, after: after!, position, isBackwards, size });
  }
  const newest = assembly.newest.superblock;
  // What a RAID0 of unequal members is laid out like may be known from elsewhere.
  const superblock = level.number === 0 ? { ...newest, layout: geometry.layout } : newest;
  const { isReadOnly } = plan;
  return new RaidLayer({
    ...common,
    superblock,
    devices,
    recoveredTo,
    byBitmap,
    spares,
    returning,
    bitmap,
    journal: assembly.journal?.layer ?? null,
    isReadOnly,
  });
}

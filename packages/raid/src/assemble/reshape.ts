import { CevError } from "@cev/core";
import type { Geometry, Level } from "../levels/level.ts";
import { FeatureFlag } from "../metadata/superblock-features.ts";
import type { Superblock } from "../metadata/superblock.ts";
import { geometryOf, refuseField } from "./geometry.ts";
import type { Assembly, Candidate } from "./assemble.ts";

const SECTOR = 512;

/** One of the two shapes of an array that is being reshaped, as if it were an array of its own. */
export interface ReshapeSide<C extends Candidate> {
  readonly geometry: Geometry;
  /** The newest superblock in this shape. */
  readonly superblock: Superblock;
  /** By member index, with superblocks in this shape: their data begins where it begins in it. */
  readonly members: readonly (C | null)[];
}

/** An array in the middle of a reshape: it can be read, each side in its own shape. */
export interface ReshapePlan<C extends Candidate> {
  /** Byte of the array. */
  readonly position: number;
  /** Forwards, what lies before the position has the new shape; backwards, what lies from it on. */
  readonly isBackwards: boolean;
  readonly before: ReshapeSide<C>;
  readonly after: ReshapeSide<C>;
  /** Bytes: that of the smaller shape. */
  readonly size: number;
}

/**
 * Both shapes of an array that is being reshaped. Throws `CEV_UNKNOWN_FEATURE` for a reshape to another level, and
 * `CEV_DEGRADED` where it is not certain that each byte can be read in one of the two.
 */
export function planReshape<C extends Candidate>(
  assembly: Assembly<C>,
  isClean: boolean,
): ReshapePlan<C> | null {
  const { newest, members } = assembly;
  const { superblock } = newest;
  const { reshape } = superblock;
  if (reshape === null) return null;
  if (reshape.level !== superblock.level)
    refuseField(
      newest,
      "newLevel",
      `a reshape from level ${superblock.level} to ${reshape.level} is not supported: let the kernel finish it`,
      "CEV_UNKNOWN_FEATURE",
    );
  const before = sideOf(newest, members, beforeReshape);
  const after = sideOf(newest, members, afterReshape);
  const { level } = geometryOf(newest, []);
  for (const { geometry, members: own } of [before, after])
    if (!level.survives(geometry, (index) => (own[index] ?? null) !== null))
      throw new CevError(
        "CEV_DEGRADED",
        `the array was being reshaped, and too few of its ${geometry.memberCount} devices are there`,
        { source: newest.name, hint: "give the other members too" },
      );
  const isBackwards =
    reshape.memberDelta < 0 ||
    (reshape.memberDelta === 0 && (superblock.features & FeatureFlag.reshapeBackwards) !== 0);
  const position = reshape.positionSectors * SECTOR;
  const chunkSize = Math.max(before.geometry.chunkSize, after.geometry.chunkSize);
  if (chunkSize > 0 && position % chunkSize !== 0)
    refuseField(
      newest,
      "reshapePosition",
      `a reshape that stands at byte ${position} is not at a whole chunk`,
    );
  const size = Math.min(level.sizeOf(before.geometry), level.sizeOf(after.geometry));
  const plan = { position, isBackwards, before, after, size };
  refuseUncertain(plan, assembly, level, isClean);
  return plan;
}

function sideOf<C extends Candidate>(
  newest: C,
  members: readonly (C | null)[],
  reshaped: (superblock: Superblock) => Superblock,
): ReshapeSide<C> {
  const superblock = reshaped(newest.superblock);
  const own = members
    .slice(0, superblock.memberCount)
    .map((member) => (member === null ? null : { ...member, superblock: reshaped(member.superblock) }));
  const { geometry } = geometryOf({ ...newest, superblock }, own);
  return { geometry, superblock, members: own };
}

function beforeReshape(superblock: Superblock): Superblock {
  const { memberCount, reshape } = superblock;
  return { ...superblock, memberCount: memberCount - (reshape?.memberDelta ?? 0), reshape: null };
}

function afterReshape(superblock: Superblock): Superblock {
  const { reshape, dataOffsetSectors } = superblock;
  if (reshape === null) return superblock;
  const { layout, chunkSectors, offsetSectors } = reshape;
  const dataStart = dataOffsetSectors + offsetSectors;
  return { ...superblock, layout, chunkSectors, dataOffsetSectors: dataStart, reshape: null };
}

/**
 * The superblocks of an array that is being reshaped say that it is clean as long as nobody writes to it, also where the
 * power went. Stripes are certain on both sides where nothing is written over what has not been recorded as moved: where old
 * and new place lie apart, by the number of members or because the data moves to another offset. Else a backup file
 * has them, which only mdadm knows. After a stop while it was written nothing may have to be reconstructed, either.
 */
function refuseUncertain<C extends Candidate>(
  { position, isBackwards, before, after }: ReshapePlan<C>,
  { newest, members, missing }: Assembly<C>,
  level: Level,
  isClean: boolean,
): void {
  const refuse = (why: string): never => {
    throw new CevError("CEV_DEGRADED", `the array was being reshaped, ${why}`, {
      source: newest.name,
      hint: "let the kernel finish that (mdadm --assemble, with the backup file if there was one)",
    });
  };
  if (!isClean && missing.length > 0)
    refuse(
      "was not shut down cleanly, and a member is missing: what it held cannot be reconstructed for certain",
    );
  const offsets = members.flatMap((member) =>
    member === null ? [] : [(member.superblock.reshape?.offsetSectors ?? 0) * SECTOR],
  );
  const direction = isBackwards ? 1 : -1;
  const moved = Math.min(...offsets.map((offset) => direction * offset));
  const [from, to] = [before, after].map(({ geometry }) => memberPositionOf(position, geometry, level));
  const gap = direction * (to! - from!) + moved;
  const chunkSize = Math.max(before.geometry.chunkSize, after.geometry.chunkSize);
  if (gap < 2 * chunkSize)
    refuse("and at its position old and new stripes overlap: which of them are whole is not certain");
}

/** How far into each member a byte of the array lies. */
function memberPositionOf(position: number, geometry: Geometry, level: Level): number {
  const memberSize = geometry.memberSizes[0]!;
  return (position / level.sizeOf(geometry)) * memberSize;
}

import type { Geometry, Level } from "../levels/level.ts";
import { levelOf } from "../levels/levels.ts";
import { isMultiZone } from "../levels/raid0.ts";
import { FeatureFlag } from "../metadata/superblock-features.ts";
import { fieldError } from "../metadata/superblock-fields.ts";
import type { SuperblockField } from "../metadata/superblock-field-places.ts";
import { memberSectors } from "../metadata/superblock.ts";
import type { Superblock } from "../metadata/superblock.ts";
import type { Candidate } from "./assemble.ts";

const SECTOR = 512;

/** A level and the shape of an array of that level. */
export interface LevelGeometry {
  readonly level: Level;
  readonly geometry: Geometry;
}

/** How RAID0 of unequal members is laid out, where its superblocks do not say. */
export type Raid0LayoutOption = "original" | "alternate";

/** Throws `MetadataError` for the field of a superblock. */
export function refuseField(
  { name, superblock }: Candidate,
  field: SuperblockField,
  message: string,
  code: "CEV_BAD_METADATA" | "CEV_UNKNOWN_FEATURE" = "CEV_BAD_METADATA",
): never {
  const { version, superOffsetSectors } = superblock;
  throw fieldError({ source: name, version, byteOffset: superOffsetSectors * SECTOR }, field, message, code);
}

/**
 * The shape of an array as the newest superblock says; `members`: by member index, for the levels whose members differ.
 * Throws a `MetadataError` for what is impossible.
 */
export function geometryOf(
  newest: Candidate,
  members: readonly (Candidate | null)[],
  raid0Layout?: Raid0LayoutOption,
): LevelGeometry {
  const { superblock } = newest;
  const { memberCount, chunkSectors } = superblock;
  const level = levelOf(superblock.level);
  if (level === null)
    return refuseField(
      newest,
      "level",
      `arrays of level ${superblock.level} are not supported`,
      "CEV_UNKNOWN_FEATURE",
    );
  if (memberCount < level.memberCountMin)
    refuseField(newest, "memberCount", `${level.name} needs at least ${level.memberCountMin} members`);
  const own = memberSectors(superblock) * SECTOR;
  const memberSizes = Array.from({ length: memberCount }, (_, index) => {
    const member = level.isRedundant ? null : (members[index] ?? null);
    return member === null ? own : memberSectors(member.superblock) * SECTOR;
  });
  const layout = level.number === 0 ? raid0LayoutOf(superblock) : superblock.layout;
  if (level.layoutName(layout, memberCount) === null)
    refuseField(newest, "layout", `${level.name} of ${memberCount} members has no layout ${layout}`);
  const chunkSize = level.number === 1 ? 0 : chunkSectors * SECTOR;
  const geometry = { level: level.number, layout, chunkSize, memberCount, memberSizes };
  if (level.number !== 0 || layout !== 0 || members.includes(null) || !isMultiZone(geometry))
    return { level, geometry };
  if (raid0Layout === undefined) refuseUnknownLayout(newest);
  return { level, geometry: { ...geometry, layout: raid0Layout === "original" ? 1 : 2 } };
}

/** Only where a feature says so does the field mean anything. */
function raid0LayoutOf({ features, layout }: Superblock): number {
  return (features & FeatureFlag.raid0Layout) === 0 ? 0 : layout;
}

/** Kernels up to 3.13 laid such arrays out in one way, those since in another: the wrong one gives wrong data. */
function refuseUnknownLayout(newest: Candidate): never {
  refuseField(
    newest,
    "layout",
    "RAID0 of members of different sizes, made before its layout was recorded: " +
      "say which it is with the option layout (original: written by a kernel before 3.14, else alternate)",
    "CEV_UNKNOWN_FEATURE",
  );
}

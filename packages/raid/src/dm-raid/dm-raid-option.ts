import type { Details } from "@cev/core";
import { levelOf } from "../levels/levels.ts";
import { RAID_TYPE_NAMES, typeGeometry } from "./raid-types.ts";
import type { TypeGeometry } from "./raid-types.ts";

/**
 * A RAID volume of LVM: dm-raid's own metadata, which says less than md's, so the shape is given. Each of the lowers is
 * one member, its metadata and its data joined: `metadataSize` bytes of rmeta, then `memberSize` bytes of rimage. Sizes
 * in bytes.
 */
export interface DmRaidOption {
  /** As LVM names it: "raid1", "raid5_ls". */
  readonly type: string;
  readonly memberCount: number;
  /** By position: the index among the lowers, or null where the member is missing. */
  readonly members: readonly (number | null)[];
  /** A stripe's run on one member; RAID1 has none. */
  readonly chunkSize?: number;
  /** What one bit of the bitmap covers, where the bitmap is made anew. */
  readonly regionSize: number;
  readonly metadataSize: number;
  readonly memberSize: number;
  /** Of the volume. */
  readonly size: number;
  /** Of each byte; RAID10 only. Default: 2. */
  readonly copies?: number;
  /** Positions of members that LVM has put there: without a superblock of this volume they are rebuilt from nothing. */
  readonly rebuild?: readonly number[];
  /** A new array is not synced first. */
  readonly nosync?: boolean;
  /** What messages call the volume. Default: its type. */
  readonly name?: string;
}

const bytes = (description: string): Details => ({ type: "integer", minimum: 0, description });

/** The option as a JSON Schema. */
export const DM_RAID_SCHEMA: Details = {
  type: "object",
  additionalProperties: false,
  required: ["type", "memberCount", "members", "regionSize", "metadataSize", "memberSize", "size"],
  description: "A RAID volume of LVM, over its members: each the rmeta and the rimage joined.",
  properties: {
    type: { enum: [...RAID_TYPE_NAMES], description: "As LVM names it." },
    memberCount: { type: "integer", minimum: 2, maximum: 253, description: "How many members it has." },
    members: {
      type: "array",
      items: { type: ["integer", "null"], minimum: 0 },
      description: "By position: the index among the lowers, or null where the member is missing.",
    },
    chunkSize: bytes("Bytes of a stripe on one member. Not with RAID1."),
    regionSize: bytes("Bytes that one bit of a new bitmap covers."),
    metadataSize: bytes("Bytes of rmeta at the beginning of each lower."),
    memberSize: bytes("Bytes of rimage behind it."),
    size: bytes("Bytes of the volume."),
    copies: { type: "integer", minimum: 1, default: 2, description: "Of each byte; RAID10 only." },
    rebuild: {
      type: "array",
      items: { type: "integer", minimum: 0 },
      description: "Positions of members that are new among the others, and are rebuilt.",
    },
    nosync: { type: "boolean", default: false, description: "A new array is not synced first." },
    name: { type: "string", description: "What messages call the volume. Default: its type." },
  },
};

const SECTOR = 512;
const MEMBERS_MAX = 253;
const REGIONS_MAX = 2 ** 21;
const SIZES = ["chunkSize", "regionSize", "metadataSize", "memberSize", "size"] as const;
const KEYS: readonly string[] = [
  "type",
  "memberCount",
  "members",
  "copies",
  "rebuild",
  "nosync",
  "name",
  ...SIZES,
];

/** What is wrong with an option, and with which of its keys. */
interface Issue {
  readonly key: string | null;
  readonly message: string;
}

/** What is wrong with the option; null: nothing. */
export function dmRaidIssue(value: unknown): Issue | null {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return { key: null, message: "must be an object" };
  const given = value as Record<string, unknown>;
  for (const key of Object.keys(given))
    if (!KEYS.includes(key)) return { key, message: "is not an option of dmRaid" };
  const { type, memberCount, copies = 2, nosync, name } = given;
  if (typeof type !== "string" || !RAID_TYPE_NAMES.includes(type))
    return { key: "type", message: `must be one of ${RAID_TYPE_NAMES.join(", ")}` };
  if (!isCount(memberCount, MEMBERS_MAX))
    return { key: "memberCount", message: `must be a whole number from 1 to ${MEMBERS_MAX}` };
  if (!isCount(copies, MEMBERS_MAX)) return { key: "copies", message: "must be a whole number, at least 1" };
  if (nosync !== undefined && typeof nosync !== "boolean")
    return { key: "nosync", message: "must be true or false" };
  if (name !== undefined && typeof name !== "string") return { key: "name", message: "must be text" };
  return (
    membersIssue(given["members"], memberCount) ??
    rebuildIssue(given["rebuild"], memberCount) ??
    sizesIssue(given) ??
    shapeIssue(value as DmRaidOption)
  );
}

/** The shape of the array, as its superblocks must have it. */
export function dmRaidGeometry(option: DmRaidOption): TypeGeometry {
  const { type, memberCount, chunkSize = 0, copies = 2, size } = option;
  return typeGeometry({ type, memberCount, chunkSize, copies, size });
}

function isCount(value: unknown, max: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= max;
}

function membersIssue(members: unknown, memberCount: number): Issue | null {
  const wrong = (message: string): Issue => ({ key: "members", message });
  if (!Array.isArray(members) || members.length !== memberCount)
    return wrong(`must have an entry for each of the ${memberCount} positions`);
  const seen = new Set<number>();
  for (const member of members as unknown[]) {
    if (member === null) continue;
    if (typeof member !== "number" || !Number.isSafeInteger(member) || member < 0)
      return wrong("must have indices among the lowers, or null");
    if (seen.has(member)) return wrong(`names lower ${member} twice`);
    seen.add(member);
  }
  return null;
}

function rebuildIssue(rebuild: unknown, memberCount: number): Issue | null {
  if (rebuild === undefined) return null;
  const isPosition = (one: unknown): boolean =>
    Number.isSafeInteger(one) && (one as number) >= 0 && (one as number) < memberCount;
  if (Array.isArray(rebuild) && rebuild.every(isPosition)) return null;
  return { key: "rebuild", message: `must be a list of positions below ${memberCount}` };
}

function sizesIssue(given: Record<string, unknown>): Issue | null {
  for (const key of SIZES) {
    const size = given[key];
    if (size === undefined && key === "chunkSize") continue;
    if (!Number.isSafeInteger(size) || (size as number) < 0 || (size as number) % SECTOR !== 0)
      return { key, message: "must be a whole number of sectors, in bytes" };
  }
  return null;
}

/** What only all of it together shows. */
function shapeIssue(option: DmRaidOption): Issue | null {
  const { type, memberCount, memberSize, size, regionSize, chunkSize = 0 } = option;
  const { level: number, layout, chunkSize: chunk, memberSize: needed } = dmRaidGeometry(option);
  const level = levelOf(number)!;
  if (regionSize < SECTOR || !Number.isInteger(Math.log2(regionSize)))
    return { key: "regionSize", message: "must be a power of two" };
  if (size / regionSize > REGIONS_MAX)
    return { key: "regionSize", message: `makes more than ${REGIONS_MAX} regions, which the kernel refuses` };
  if (level.hasChunks && (chunkSize < 4096 || !Number.isInteger(Math.log2(chunkSize))))
    return { key: "chunkSize", message: "must be a power of two, at least 4096" };
  if (memberCount < Math.max(2, level.memberCountMin))
    return {
      key: "memberCount",
      message: `${type} needs at least ${Math.max(2, level.memberCountMin)} members`,
    };
  if (level.layoutName(layout, memberCount) === null)
    return { key: "copies", message: `there is no ${type} with that many copies on ${memberCount} members` };
  if (size === 0 || !Number.isInteger(needed / SECTOR))
    return { key: "size", message: `cannot be shared out evenly among the ${memberCount} members` };
  if (needed > memberSize) return { key: "memberSize", message: `is less than the ${needed} bytes needed` };
  const memberSizes = new Array<number>(memberCount).fill(needed);
  const offered = level.sizeOf({ level: number, layout, chunkSize: chunk, memberCount, memberSizes });
  if (offered !== size)
    return { key: "size", message: `does not fit: ${offered} bytes is what ${type} of whole chunks holds` };
  return null;
}

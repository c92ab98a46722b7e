import { CevError, MetadataError, isCevError } from "@cev/core";
import type { Environment, NamedLayer } from "@cev/core";
import type { ArrayCandidate } from "../assemble/plan.ts";
import { BITMAP_HEAD_LENGTH, BITMAP_MAGIC } from "../metadata/bitmap.ts";
import { scanTarget } from "../metadata/member-scan.ts";
import type { ScanTarget } from "../metadata/member-scan.ts";
import { viewOf } from "../metadata/superblock-bytes.ts";
import { superblockStructure } from "../metadata/superblock-fields.ts";
import type { Superblock } from "../metadata/superblock.ts";
import { dmRaidGeometry } from "./dm-raid-option.ts";
import type { DmRaidOption } from "./dm-raid-option.ts";
import { DM_BITMAP_OFFSET, DM_SUPERBLOCK_LENGTH, decodeDmSuperblock } from "./dm-superblock.ts";
import type { DmShape } from "./dm-superblock.ts";

const SECTOR = 512;

/** One member of an LVM volume, as it was found. */
export interface DmMember {
  readonly candidate: ArrayCandidate;
  readonly shape: DmShape;
  /** Null: it has none yet. An error: it cannot be used. */
  readonly superblock: Superblock | CevError | null;
}

/** Looks at all members that are there. Throws `CEV_INVALID` for lowers that do not fit the option. */
export async function readDmMembers(
  option: DmRaidOption,
  lowers: readonly NamedLayer[],
  environment: Environment,
): Promise<DmMember[]> {
  const members: DmMember[] = [];
  for (const [position, index] of option.members.entries()) {
    if (index === null) continue;
    const lower = lowers[index];
    if (lower === undefined)
      throw new CevError("CEV_INVALID", `member ${position} is to be lower ${index}, which is not there`);
    const candidate = { ...scanTarget(lower, environment), layer: lower.layer };
    if (members.some((other) => other.candidate.source === lower.name))
      throw new CevError("CEV_INVALID", `two members are called ${lower.name}`, { source: lower.name });
    const needed = option.metadataSize + option.memberSize;
    if (candidate.size < needed)
      throw new CevError("CEV_INVALID", `${lower.name} has ${candidate.size} bytes, ${needed} are needed`, {
        source: lower.name,
      });
    const shape = shapeOf(option, position);
    members.push({ candidate, shape, superblock: await readSuperblock(candidate, shape) });
  }
  return members;
}

function shapeOf(option: DmRaidOption, position: number): DmShape {
  const { level, layout, chunkSize, memberSize } = dmRaidGeometry(option);
  return {
    name: option.name ?? option.type,
    position,
    level,
    layout,
    chunkSectors: chunkSize / SECTOR,
    memberCount: option.memberCount,
    sizeSectors: memberSize / SECTOR,
    dataSizeSectors: option.memberSize / SECTOR,
    arraySectors: option.size / SECTOR,
    dataOffsetSectors: option.metadataSize / SECTOR,
  };
}

async function readSuperblock(target: ScanTarget, shape: DmShape): Promise<Superblock | CevError | null> {
  try {
    const bytes = await target.read(0, DM_SUPERBLOCK_LENGTH);
    // LVM clears what is new. Anything else that is no superblock is none that may be overwritten.
    if (bytes.every((byte) => byte === 0)) return null;
    const superblock = decodeDmSuperblock(bytes, target.source, shape);
    await checkEvents(target, superblock);
    return superblock;
  } catch (error) {
    if (!isCevError(error)) throw error;
    return error;
  }
}

/**
 * Superblocks have no checksum, and one with too many events would make all others look stale. A member's bitmap is always
 * written first: with fewer events than its superblock it shows that the superblock was spoiled.
 */
async function checkEvents(target: ScanTarget, { eventCount }: Superblock): Promise<void> {
  const head = viewOf(await target.read(DM_BITMAP_OFFSET, BITMAP_HEAD_LENGTH));
  if (head.getUint32(0, true) !== BITMAP_MAGIC) return;
  const known = head.getBigUint64(24, true);
  if (known >= eventCount) return;
  throw new MetadataError(`it claims ${eventCount} events, and its bitmap has seen ${known}`, {
    source: target.source,
    structure: superblockStructure("dm-raid"),
    field: "events",
    byteOffset: 16,
  });
}

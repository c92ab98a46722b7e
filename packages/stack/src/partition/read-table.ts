import { readGptTable } from "./gpt-table.ts";
import { decodeMbr, readMbrTable } from "./mbr-table.ts";
import type { MbrSector } from "./mbr-table.ts";
import type { PartitionTable, ReadAt } from "./partition-table.ts";

const SECTOR = 512;
const LARGE_BLOCK = 4096;

/**
 * Reads the partition table of a disk, GPT or MBR. Null: there is none. Throws `CEV_BAD_METADATA` when there clearly is one
 * and no copy of it can be accepted.
 */
export async function readPartitionTable(
  readAt: ReadAt,
  diskSize: number,
  blockSize: number,
): Promise<PartitionTable | null> {
  if (diskSize < 2 * SECTOR) return null;
  const mbr = decodeMbr(await readAt(0, SECTOR), diskSize);
  if (mbr !== null && !mbr.isProtective && !couldBeProtective(mbr)) {
    // A disk that went from GPT to MBR keeps the old headers: the MBR decides, as it does for Linux.
    return readMbrTable(mbr, readAt, diskSize);
  }
  // Images of disks with large blocks count in those, whatever the file they are kept in does.
  const blockSizes = [...new Set([blockSize, SECTOR, LARGE_BLOCK])];
  const gpt = await readGptTable(readAt, diskSize, {
    blockSizes,
    isExpected: mbr?.isProtective === true,
  });
  if (gpt !== null || mbr === null) return gpt;
  return readMbrTable(mbr, readAt, diskSize);
}

/** A single partition from sector 1 on: a protective entry whose type byte was damaged, perhaps. */
function couldBeProtective(mbr: MbrSector): boolean {
  const used = mbr.entries.filter((entry) => entry.type !== 0);
  return used.length === 1 && used[0]!.firstLBA === 1;
}

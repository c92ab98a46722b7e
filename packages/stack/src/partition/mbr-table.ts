import { decodeMbrEntry } from "./table-libraries.ts";
import type { MbrEntry } from "./table-libraries.ts";
import { checkPartitions } from "./partition-table.ts";
import type { Partition, PartitionTable, ReadAt, TableFault } from "./partition-table.ts";

const SECTOR = 512;
const TABLE_OFFSET = 446;
const ENTRY_LENGTH = 16;
const ENTRY_COUNT = 4;
const SIGNATURE_OFFSET = 510;
const DISK_SIGNATURE_OFFSET = 440;
/** Type of the entry by which a GPT shows itself in an MBR. */
const PROTECTIVE = 0xee;
/** Linux itself stops at 256 partitions; a chain of boot records may also be a circle. */
const LOGICAL_COUNT_MAX = 252;

/** What sector 0 says, before anything else of the disk was read. */
export interface MbrSector {
  readonly entries: readonly MbrEntry[];
  readonly diskSignature: string;
  /** It says that a GPT follows. */
  readonly isProtective: boolean;
}

/**
 * Decodes sector 0. Null when it is no partition table: no boot signature, or (the boot sector of a file system) entries
 * that no partition table has.
 */
export function decodeMbr(sector: Uint8Array): MbrSector | null {
  if (sector[SIGNATURE_OFFSET] !== 0x55 || sector[SIGNATURE_OFFSET + 1] !== 0xaa) return null;
  const entries = entriesOf(sector);
  if (entries.some((entry) => entry.status !== 0 && entry.status !== 0x80)) return null;
  const used = entries.filter(isUsed);
  if (used.length === 0) return null;
  if (used.some((entry) => entry.firstLBA === 0)) return null;
  const view = new DataView(sector.buffer, sector.byteOffset, sector.byteLength);
  return {
    entries,
    diskSignature: view.getUint32(DISK_SIGNATURE_OFFSET, true).toString(16).padStart(8, "0"),
    isProtective: used.some((entry) => entry.type === PROTECTIVE),
  };
}

/** Reads the primary partitions and the chain of logical ones. */
export async function readMbrTable(
  mbr: MbrSector,
  readAt: ReadAt,
  diskSize: number,
): Promise<PartitionTable> {
  const found: Partition[] = [];
  const faults: TableFault[] = [];
  const offsets = new Map<Partition, number>();
  const extended: MbrEntry[] = [];
  for (const [index, entry] of mbr.entries.entries()) {
    if (!isUsed(entry)) continue;
    if (entry.extended) {
      extended.push(entry);
      continue;
    }
    const partition = partitionOf(entry, index + 1, 0);
    offsets.set(partition, TABLE_OFFSET + index * ENTRY_LENGTH);
    found.push(partition);
  }
  for (const entry of extended) {
    const logical = await readLogical(entry, readAt, diskSize, ENTRY_COUNT + 1 + logicalCount(found));
    for (const { partition, byteOffset } of logical.partitions) {
      offsets.set(partition, byteOffset);
      found.push(partition);
    }
    faults.push(...logical.faults);
  }
  const checked = checkPartitions(found, diskSize, "MBR partition table", (partition) =>
    offsets.get(partition)!,
  );
  return {
    kind: "mbr",
    uuid: mbr.diskSignature,
    blockSize: SECTOR,
    partitions: checked.partitions,
    faults: [...faults, ...checked.faults],
  };
}

interface Logical {
  readonly partitions: { readonly partition: Partition; readonly byteOffset: number }[];
  readonly faults: TableFault[];
}

/** Follows the chain of extended boot records: each holds one partition and says where the next record is. */
async function readLogical(
  extended: MbrEntry,
  readAt: ReadAt,
  diskSize: number,
  firstNumber: number,
): Promise<Logical> {
  const structure = "extended boot record";
  const logical: Logical = { partitions: [], faults: [] };
  const seen = new Set<number>();
  let sector = extended.firstLBA;
  while (logical.partitions.length < LOGICAL_COUNT_MAX) {
    const byteOffset = sector * SECTOR;
    const fault = (message: string): Logical => {
      logical.faults.push({
        structure,
        byteOffset,
        message: `${message}; the logical partitions from ${firstNumber + logical.partitions.length} on are missing`,
        isRepaired: false,
      });
      return logical;
    };
    if (byteOffset + SECTOR > diskSize) return fault(`it would begin past the end of the disk (${diskSize})`);
    if (seen.has(sector)) return fault("the chain of boot records is a circle");
    seen.add(sector);
    const bytes = await readAt(byteOffset, SECTOR);
    if (bytes[SIGNATURE_OFFSET] !== 0x55 || bytes[SIGNATURE_OFFSET + 1] !== 0xaa) {
      return fault("it has no boot signature");
    }
    const entries = entriesOf(bytes);
    for (const [index, entry] of entries.entries()) {
      if (!isUsed(entry) || entry.extended) continue;
      logical.partitions.push({
        partition: partitionOf(entry, firstNumber + logical.partitions.length, sector),
        byteOffset: byteOffset + TABLE_OFFSET + index * ENTRY_LENGTH,
      });
    }
    const next = entries.find((entry) => isUsed(entry) && entry.extended);
    if (next === undefined) break;
    // Logical partitions count from their own record, the next record from the extended partition.
    sector = extended.firstLBA + next.firstLBA;
  }
  return logical;
}

function entriesOf(sector: Uint8Array): MbrEntry[] {
  return Array.from({ length: ENTRY_COUNT }, (_, index) =>
    decodeMbrEntry(sector, TABLE_OFFSET + index * ENTRY_LENGTH),
  );
}

function partitionOf(entry: MbrEntry, number: number, baseSector: number): Partition {
  return {
    number,
    start: (baseSector + entry.firstLBA) * SECTOR,
    length: entry.sectors * SECTOR,
    type: `0x${entry.type.toString(16).padStart(2, "0")}`,
    uuid: null,
    label: "",
  };
}

const isUsed = (entry: MbrEntry): boolean => entry.type !== 0 && entry.sectors > 0;
const logicalCount = (found: readonly Partition[]): number =>
  found.filter((one) => one.number > ENTRY_COUNT).length;

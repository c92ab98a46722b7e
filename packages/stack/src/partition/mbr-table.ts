import { MetadataError } from "@cev/core";
import { decodeMbrEntry } from "./table-libraries.ts";
import type { MbrEntry } from "./table-libraries.ts";
import { checkPartitions } from "./partition-table.ts";
import type { Partition, PartitionTable, ReadAt, TableFault } from "./partition-table.ts";

const SECTOR = 512;
const TABLE_OFFSET = 446;
const ENTRY_LENGTH = 16;
const ENTRY_COUNT = 4;
const SIGNATURE_OFFSET = 510;
const SIGNATURE = 0xaa55;
const STRUCTURE = "MBR partition table";
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
  readonly faults: readonly TableFault[];
}

/**
 * Decodes sector 0. Null when it is no partition table: no boot signature, or (the boot sector of a file system) entries
 * that no partition table has. Where a single bit is wrong in what else could only be a table, that is a fault, or for the
 * boot signature `CEV_BAD_METADATA`.
 */
export function decodeMbr(sector: Uint8Array, diskSize: number): MbrSector | null {
  const view = new DataView(sector.buffer, sector.byteOffset, sector.byteLength);
  const entries = entriesOf(sector);
  const used = entries.filter(isUsed);
  if (used.length === 0 || used.some((entry) => entry.firstLBA === 0)) return null;
  const wrongBits = bitCount(view.getUint16(SIGNATURE_OFFSET, true) ^ SIGNATURE);
  const odd = entries.findIndex((entry) => (entry.status & 0x7f) !== 0);
  const oddBits = entries.reduce((sum, entry) => sum + bitCount(entry.status & 0x7f), 0);
  if (wrongBits + oddBits > 1 || (wrongBits + oddBits === 1 && !isPlausible(used, diskSize))) return null;
  if (wrongBits === 1) {
    throw new MetadataError("its boot signature has a wrong bit", {
      structure: STRUCTURE,
      field: "signature",
      byteOffset: SIGNATURE_OFFSET,
    });
  }
  const byteOffset = TABLE_OFFSET + odd * ENTRY_LENGTH;
  const message = `the status of partition ${odd + 1} has a wrong bit; it does not count`;
  return {
    entries,
    diskSignature: view.getUint32(DISK_SIGNATURE_OFFSET, true).toString(16).padStart(8, "0"),
    isProtective: used.some((entry) => entry.type === PROTECTIVE),
    faults: oddBits === 0 ? [] : [{ structure: STRUCTURE, byteOffset, message, isRepaired: true }],
  };
}

/** Within the disk, and apart from one another. */
function isPlausible(used: readonly MbrEntry[], diskSize: number): boolean {
  const partitions = used.map((entry, index) => partitionOf(entry, index + 1, 0));
  return checkPartitions(partitions, diskSize, STRUCTURE, () => 0).faults.length === 0;
}

function bitCount(value: number): number {
  let count = 0;
  for (let rest = value; rest !== 0; rest &= rest - 1) count++;
  return count;
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
    faults: [...mbr.faults, ...faults, ...checked.faults],
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
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (view.getUint16(SIGNATURE_OFFSET, true) !== SIGNATURE) return fault("it has no boot signature");
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

/** One partition, in bytes from the start of the disk. */
export interface Partition {
  /** As Linux counts them: 1 to 4 primary, from 5 on logical; in a GPT the place in the table. */
  readonly number: number;
  readonly start: number;
  readonly length: number;
  /** "0x83", or a GUID. */
  readonly type: string;
  /** Its own GUID; null in an MBR. */
  readonly uuid: string | null;
  /** Its label; empty in an MBR. */
  readonly label: string;
}

/** Something in a table that is wrong, where the rest can be used. */
export interface TableFault {
  readonly structure: string;
  readonly field?: string;
  readonly byteOffset: number;
  readonly message: string;
  /** The table's other copy made it good: nothing is missing. */
  readonly isRepaired: boolean;
}

/** A partition table as it was found. */
export interface PartitionTable {
  readonly kind: "gpt" | "mbr";
  /** The disk's GUID, or the MBR's disk signature in hexadecimal digits. */
  readonly uuid: string;
  /** Bytes per block, by which the table counts. */
  readonly blockSize: number;
  readonly partitions: readonly Partition[];
  readonly faults: readonly TableFault[];
}

/** Reads bytes of the disk, at any offset within it. */
export type ReadAt = (offset: number, length: number) => Promise<Uint8Array>;

/** Leaves out partitions that are not within the disk or that overlap one before them, with a fault for each. */
export function checkPartitions(
  partitions: readonly Partition[],
  diskSize: number,
  structure: string,
  offsetOf: (partition: Partition) => number,
): { partitions: Partition[]; faults: TableFault[] } {
  const kept: Partition[] = [];
  const faults: TableFault[] = [];
  for (const one of partitions) {
    const end = one.start + one.length;
    const other = kept.find((earlier) => one.start < earlier.start + earlier.length && earlier.start < end);
    const message =
      one.start < 0 || one.length <= 0 || end > diskSize
        ? `partition ${one.number} is bytes ${one.start} to ${end}, and the disk ends at byte ${diskSize}`
        : other === undefined
          ? null
          : `partition ${one.number} is bytes ${one.start} to ${end} and overlaps partition ${other.number}`;
    if (message === null) kept.push(one);
    else faults.push({ structure, byteOffset: offsetOf(one), message, isRepaired: false });
  }
  return { partitions: kept, faults };
}

import { crc32 } from "node:zlib";
import { MetadataError } from "@cev/core";
import { decodeGptEntry, decodeGptHeader } from "./table-libraries.ts";
import type { GptHeader } from "./table-libraries.ts";
import { checkPartitions } from "./partition-table.ts";
import type { Partition, PartitionTable, ReadAt, TableFault } from "./partition-table.ts";

const SIGNATURE = "EFI PART";
const HEADER_LENGTH_MIN = 92;
const CHECKSUM_OFFSET = 16;
const REVISION_1 = 0x0001_0000;
const ENTRY_LENGTH_MIN = 128;
/** The usual table has 16 KiB; far more than anyone makes is refused rather than read. */
const TABLE_LENGTH_MAX = 1 << 20;

/** One of the two copies: sound, or what is wrong with it. */
export type GptCopy =
  | { readonly header: GptHeader; readonly table: Uint8Array; readonly blockSize: number }
  | { readonly fault: TableFault };

/**
 * Reads the copy whose header lies in `block`. Null when there is no header at all (no signature); a fault when there is
 * one that cannot be accepted.
 */
export async function readGptCopy(
  readAt: ReadAt,
  block: number,
  blockSize: number,
  diskSize: number,
): Promise<GptCopy | null> {
  const byteOffset = block * blockSize;
  if (byteOffset < 0 || byteOffset + blockSize > diskSize) return null;
  const bytes = await readAt(byteOffset, blockSize);
  if (Buffer.from(bytes.subarray(0, SIGNATURE.length)).toString("latin1") !== SIGNATURE) return null;
  const structure = block === 1 ? "GPT header" : "GPT backup header";
  const fault = (message: string, field: string, at: number): GptCopy => ({
    fault: { structure, field, byteOffset: at, message, isRepaired: false },
  });
  const header = decodeGptHeader(bytes, blockSize);
  if (header.headerSize < HEADER_LENGTH_MIN || header.headerSize > blockSize) {
    return fault(`its length is ${header.headerSize}`, "headerSize", byteOffset + 12);
  }
  if (checksumOf(bytes.subarray(0, header.headerSize)) !== header.headerChecksum) {
    return fault("its checksum is wrong", "headerChecksum", byteOffset + CHECKSUM_OFFSET);
  }
  if (header.revision !== REVISION_1) {
    return fault(`its revision is 0x${header.revision.toString(16)}`, "revision", byteOffset + 8);
  }
  if (header.currentLBA !== BigInt(block)) {
    return fault(
      `it says that it lies in block ${header.currentLBA.toString()}`,
      "currentLBA",
      byteOffset + 24,
    );
  }
  const length = header.entries * header.entrySize;
  if (header.entrySize < ENTRY_LENGTH_MIN || length > TABLE_LENGTH_MAX) {
    return fault(`it has ${header.entries} entries of ${header.entrySize} bytes`, "entries", byteOffset + 80);
  }
  const tableOffset = Number(header.tableOffset) * blockSize;
  if (!Number.isSafeInteger(tableOffset) || tableOffset + length > diskSize) {
    return fault("its table lies past the end of the disk", "tableOffset", byteOffset + 72);
  }
  const table = await readAt(tableOffset, length);
  if (crc32(table) >>> 0 !== header.tableChecksum) {
    return fault("the checksum of its table is wrong", "tableChecksum", byteOffset + 88);
  }
  return { header, table, blockSize };
}

/** Reads a GPT: from its first copy, and where that is damaged from the other. Null: there is none. */
export async function readGptTable(
  readAt: ReadAt,
  diskSize: number,
  options: { readonly blockSizes: readonly number[]; readonly isExpected: boolean },
): Promise<PartitionTable | null> {
  const faults: TableFault[] = [];
  for (const blockSize of options.blockSizes) {
    const primary = await readGptCopy(readAt, 1, blockSize, diskSize);
    if (primary !== null && "header" in primary) return tableOf(primary, diskSize, []);
    if (primary !== null) faults.push(primary.fault);
  }
  // Without a word of a GPT in the first two blocks, what the last block holds is left over from another time.
  if (faults.length === 0 && !options.isExpected) return null;
  for (const blockSize of options.blockSizes) {
    const backup = await readGptCopy(readAt, Math.floor(diskSize / blockSize) - 1, blockSize, diskSize);
    if (backup === null) continue;
    if ("fault" in backup) {
      faults.push(backup.fault);
      continue;
    }
    const missing = { structure: "GPT header", byteOffset: blockSize, message: "there is none" };
    const repaired = faults.length === 0 ? [missing] : faults;
    return tableOf(
      backup,
      diskSize,
      repaired.map((fault) => ({
        ...fault,
        message: `${fault.message}; the copy at the end of the disk is used`,
        isRepaired: true,
      })),
    );
  }
  const [first] = faults;
  if (first === undefined) {
    throw new MetadataError("the MBR says that a GPT follows, and there is none, nor its copy at the end", {
      structure: "GPT header",
      byteOffset: options.blockSizes[0] ?? 0,
      hint: "is the image complete?",
    });
  }
  const { structure, field, byteOffset } = first;
  throw new MetadataError(`${first.message}, and there is no sound copy at the end of the disk`, {
    structure,
    byteOffset,
    hint: "is the image complete?",
    ...(field === undefined ? {} : { field }),
  });
}

function tableOf(
  copy: Extract<GptCopy, { readonly header: GptHeader }>,
  diskSize: number,
  faults: readonly TableFault[],
): PartitionTable {
  const { header, table, blockSize } = copy;
  const found: Partition[] = [];
  for (let index = 0; index < header.entries; index++) {
    const entry = decodeGptEntry(table, index * header.entrySize);
    if (entry.isEmpty()) continue;
    const start = Number(entry.firstLBA) * blockSize;
    found.push({
      number: index + 1,
      start,
      length: (Number(entry.lastLBA) + 1) * blockSize - start,
      type: entry.type.toLowerCase(),
      uuid: entry.guid.toLowerCase(),
      label: entry.name,
    });
  }
  const checked = checkPartitions(
    found,
    diskSize,
    "GPT partition table",
    ({ number }) => Number(header.tableOffset) * blockSize + (number - 1) * header.entrySize,
  );
  return {
    kind: "gpt",
    uuid: header.guid.toLowerCase(),
    blockSize,
    partitions: checked.partitions,
    faults: [...faults, ...checked.faults],
  };
}

function checksumOf(header: Uint8Array): number {
  const bytes = header.slice();
  bytes.fill(0, CHECKSUM_OFFSET, CHECKSUM_OFFSET + 4);
  return crc32(bytes) >>> 0;
}

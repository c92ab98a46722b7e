import { MetadataError } from "@cev/core";
import type { ScanTarget } from "./member-scan.ts";
import type { Superblock } from "./superblock.ts";

const SECTOR = 512;
const BLOCK = 4096;
/** First four bytes of each block of the log that says what follows it, as a little-endian number. */
const JOURNAL_MAGIC = 0x6433c509;
const HEAD_LENGTH = 32;

/**
 * True where the log of a journal device holds nothing, as far as its superblock's tail goes: no block of the log there, or
 * one that nothing belongs to and nothing follows. A log that was used always ends with a block that holds something,
 * although it has reached the members: that it has cannot be seen from the log alone.
 */
export async function journalIsEmpty(target: ScanTarget, superblock: Superblock): Promise<boolean> {
  const { dataOffsetSectors, dataSizeSectors, journalTailSectors } = superblock;
  const length = dataSizeSectors * SECTOR - ((dataSizeSectors * SECTOR) % BLOCK);
  const tail = journalTailSectors * SECTOR;
  const start = dataOffsetSectors * SECTOR;
  if (tail % BLOCK !== 0 || tail >= length)
    throw new MetadataError(`the journal's tail at byte ${tail} of ${length} is impossible`, {
      source: target.source,
      structure: "md superblock",
      field: "journal_tail",
      byteOffset: superblock.superOffsetSectors * SECTOR + 152,
    });
  const head = blockHead(await target.read(start + tail, HEAD_LENGTH), tail);
  if (head === null) return true;
  if (head.length !== HEAD_LENGTH) return false;
  const after = (tail + BLOCK) % length;
  const next = blockHead(await target.read(start + after, HEAD_LENGTH), after);
  return next?.sequence !== head.sequence + 1n;
}

/** What a block of the log says of itself; null where there is none that belongs there. */
function blockHead(bytes: Uint8Array, position: number): { length: number; sequence: bigint } | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isThere =
    view.getUint32(0, true) === JOURNAL_MAGIC && view.getBigUint64(24, true) === BigInt(position / SECTOR);
  return isThere ? { length: view.getUint32(12, true), sequence: view.getBigUint64(16, true) } : null;
}

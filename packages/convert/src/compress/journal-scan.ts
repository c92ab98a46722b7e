import { MetadataError } from "@cev/core";
import { decodeHead } from "./journal-record.ts";
import { JOURNAL_OFFSET, PAGE_LENGTH } from "./superblock.ts";
import type { Superblock } from "./superblock.ts";

/** What the journal says. */
export interface JournalScan {
  /** The epoch that counts; 0: none does. */
  readonly epoch: number;
  /** How many of its records do: the first of its half. */
  readonly recordCount: number;
  /** The highest epoch of any record, those included that do not count. */
  readonly epochMax: number;
}

/** Calls `see` with every page of a range of the journal, in their order. `offset` is from the beginning of the device. */
export type EachPage = (offset: number, length: number, see: (page: Uint8Array) => void) => Promise<void>;

/** Of each position of a half: its record's epoch, 0 where there is none, and what that says was durable before. */
interface Half {
  readonly epochs: Float64Array;
  readonly durable: Int32Array;
}

/**
 * Finds the records that count: those of the newest epoch, from the first one on until one is missing. An older epoch is in the map in
 * whole: that is made sure of before a newer one begins. Throws `CEV_BAD_METADATA` where one is missing that was durable.
 */
export async function scanJournal(superblock: Superblock, eachPage: EachPage): Promise<JournalScan> {
  const halves = [await scanHalf(superblock, 0, eachPage), await scanHalf(superblock, 1, eachPage)];
  const newest = halves.map(({ epochs }) => epochs.reduce((max, epoch) => Math.max(max, epoch), 0));
  const epochMax = Math.max(...newest);
  // The first commit of the newest epoch may have been torn: then the one before it counts.
  for (const half of newest[0]! >= newest[1]! ? [0, 1] : [1, 0]) {
    const epoch = newest[half]!;
    if (epoch === 0) continue;
    const end = halves[half]!.epochs.findIndex((found) => found !== epoch);
    const recordCount = end < 0 ? halves[half]!.epochs.length : end;
    expectWhole(superblock, half, halves[half]!, epoch, recordCount);
    if (recordCount > 0) return { epoch, recordCount, epochMax };
  }
  return { epoch: 0, recordCount: 0, epochMax };
}

async function scanHalf(
  { formatId, halfLength }: Superblock,
  half: number,
  eachPage: EachPage,
): Promise<Half> {
  const positions = halfLength / PAGE_LENGTH;
  const epochs = new Float64Array(positions);
  const durable = new Int32Array(positions);
  let position = 0;
  await eachPage(JOURNAL_OFFSET + half * halfLength, halfLength, (page) => {
    const head = decodeHead(formatId, half, position, page);
    epochs[position] = head?.epoch ?? 0;
    durable[position] = head?.durableThrough ?? -1;
    position++;
  });
  return { epochs, durable };
}

/** A record that a later one knows to have been durable, and that is not there, was damaged: what it said is lost. */
function expectWhole(
  { halfLength }: Superblock,
  half: number,
  { epochs, durable }: Half,
  epoch: number,
  recordCount: number,
): void {
  const isKnown = durable.some((through, position) => epochs[position] === epoch && through >= recordCount);
  if (!isKnown) return;
  throw new MetadataError(`record ${recordCount} of half ${half} is damaged, and later ones need it`, {
    structure: "compression journal",
    byteOffset: JOURNAL_OFFSET + half * halfLength + recordCount * PAGE_LENGTH,
    hint: "restore the device from a copy",
  });
}

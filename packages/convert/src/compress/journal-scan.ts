import { MetadataError } from "@cev/core";
import { decodeRecord } from "./journal-record.ts";
import type { JournalRecord } from "./journal-record.ts";
import { JOURNAL_OFFSET, PAGE_LENGTH } from "./superblock.ts";
import type { Superblock } from "./superblock.ts";

/** What the journal says. */
export interface JournalScan {
  /** The epoch that counts; 0: none does. */
  readonly epoch: number;
  /** Its records, in their order. */
  readonly records: readonly JournalRecord[];
  /** The highest epoch of any record, those included that do not count. */
  readonly epochMax: number;
}

/**
 * Finds the records that count: those of the newest epoch, from the first one on until one is missing. An older epoch is in the map in
 * whole: that is made sure of before a newer one begins. Throws `CEV_BAD_METADATA` where one is missing that was durable.
 */
export function scanJournal(superblock: Superblock, journal: Uint8Array): JournalScan {
  const halves = [0, 1].map((half) => decodeHalf(superblock, half, journal));
  const epochs = halves.map((records) => Math.max(0, ...records.map((record) => record?.epoch ?? 0)));
  const epochMax = Math.max(...epochs);
  // The first commit of the newest epoch may have been torn: then the one before it counts.
  for (const half of epochs[0]! >= epochs[1]! ? [0, 1] : [1, 0]) {
    const epoch = epochs[half]!;
    if (epoch === 0) continue;
    const records = prefixOf(halves[half]!, epoch);
    expectWhole(superblock, half, halves[half]!, epoch, records.length);
    if (records.length > 0) return { epoch, records, epochMax };
  }
  return { epoch: 0, records: [], epochMax };
}

function decodeHalf(
  { formatId, halfLength }: Superblock,
  half: number,
  journal: Uint8Array,
): (JournalRecord | null)[] {
  const positions = halfLength / PAGE_LENGTH;
  return Array.from({ length: positions }, (_, position) => {
    const at = half * halfLength + position * PAGE_LENGTH;
    return decodeRecord(formatId, half, position, journal.subarray(at, at + PAGE_LENGTH));
  });
}

function prefixOf(half: readonly (JournalRecord | null)[], epoch: number): JournalRecord[] {
  const end = half.findIndex((record) => record?.epoch !== epoch);
  return (end < 0 ? half : half.slice(0, end)) as JournalRecord[];
}

/** A record that a later one knows to have been durable, and that is not there, was damaged: what it said is lost. */
function expectWhole(
  { halfLength }: Superblock,
  half: number,
  records: readonly (JournalRecord | null)[],
  epoch: number,
  length: number,
): void {
  const isKnown = records.some((record) => record?.epoch === epoch && record.durableThrough >= length);
  if (!isKnown) return;
  throw new MetadataError(`record ${length} of half ${half} is damaged, and later ones need it`, {
    structure: "compression journal",
    byteOffset: JOURNAL_OFFSET + half * halfLength + length * PAGE_LENGTH,
    hint: "restore the device from a copy",
  });
}

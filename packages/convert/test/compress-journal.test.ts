import { describe, expect, test } from "vitest";
import { HOLE } from "../src/compress/entry.ts";
import { encodeRecord, halfOf } from "../src/compress/journal-record.ts";
import { scanJournal } from "../src/compress/journal-scan.ts";
import type { JournalScan } from "../src/compress/journal-scan.ts";
import type { Superblock } from "../src/compress/superblock.ts";

const POSITIONS = 6;
const halfLength = POSITIONS * 4096;
const superblock: Superblock = {
  uuid: new Uint8Array(16),
  formatId: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
  size: 1_048_576,
  chunkSize: 4096,
  halfLength,
  mapOffset: 8192 + 2 * halfLength,
  mapLength: 8192,
  dataOffset: 65_536,
  binCount: 300,
  codec: 3,
  level: 1,
};

/** Epoch, position, and what was durable before. */
type Written = readonly [epoch: number, sequence: number, durableThrough: number];

/** A journal with these records, the later ones over the earlier. */
function journalOf(written: readonly Written[]): Uint8Array {
  const journal = new Uint8Array(2 * halfLength);
  for (const [epoch, sequence, durableThrough] of written) {
    const record = { epoch, sequence, durableThrough, changes: [{ chunk: sequence, entry: HOLE }] };
    journal.set(encodeRecord(superblock.formatId, record), halfOf(epoch) * halfLength + sequence * 4096);
  }
  return journal;
}

function scanOf(written: readonly Written[]): Promise<JournalScan> {
  const journal = journalOf(written);
  return scanJournal(superblock, async (offset, length, see) => {
    for (let at = offset - 8192; at < offset - 8192 + length; at += 4096)
      see(journal.subarray(at, at + 4096));
  });
}

async function counted(
  written: readonly Written[],
): Promise<{ epoch: number; epochMax: number; sequences: number[] }> {
  const { epoch, epochMax, recordCount } = await scanOf(written);
  return { epoch, epochMax, sequences: [...Array(recordCount).keys()] };
}

describe("of the journal count", () => {
  test("no records where there are none", async () => {
    expect(await counted([])).toEqual({ epoch: 0, epochMax: 0, sequences: [] });
  });

  test("the records of the newest epoch alone", async () => {
    const written: Written[] = [
      [1, 0, -1],
      [1, 1, 0],
      [1, 2, 1],
      [2, 0, -1],
      [2, 1, 0],
    ];
    expect(await counted(written)).toEqual({ epoch: 2, epochMax: 2, sequences: [0, 1] });
  });

  test("its records up to the first that is missing, whatever stands behind it", async () => {
    const written: Written[] = [
      [2, 0, -1],
      [2, 1, 0],
      [2, 3, 1],
    ];
    expect(await counted(written)).toEqual({ epoch: 2, epochMax: 2, sequences: [0, 1] });
  });

  test("no records of an older epoch behind them", async () => {
    const written: Written[] = [
      [1, 0, -1],
      [1, 1, 0],
      [1, 2, 1],
      [3, 0, -1],
    ];
    expect(await counted(written)).toEqual({ epoch: 3, epochMax: 3, sequences: [0] });
  });

  test("those of the epoch before, where the first commit of the newest was torn; its number is not used again", async () => {
    const written: Written[] = [
      [5, 0, -1],
      [5, 1, 0],
      [6, 1, -1],
      [6, 2, -1],
    ];
    expect(await counted(written)).toEqual({ epoch: 5, epochMax: 6, sequences: [0, 1] });
  });

  test("a full half in whole", async () => {
    const written = Array.from({ length: POSITIONS }, (_, position): Written => [1, position, position - 1]);
    expect((await counted(written)).sequences).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test.each<[string, Written[], number]>([
    [
      "in the middle",
      [
        [2, 0, -1],
        [2, 2, 1],
      ],
      8192 + 4096,
    ],
    [
      "at the beginning",
      [
        [1, 0, -1],
        [2, 1, 0],
      ],
      8192,
    ],
  ])("none at all where one is missing %s that was durable", async (_, written, byteOffset) => {
    await expect(scanOf(written)).rejects.toThrow(
      expect.objectContaining({
        code: "CEV_BAD_METADATA",
        place: expect.objectContaining({ byteOffset }) as unknown,
      }),
    );
  });
});

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { WriteIntents } from "../src/array/write-intents.ts";
import type { BitmapHead } from "../src/metadata/bitmap.ts";

const CHUNK = 4096;
const BITS = 40_000;
const HEAD: BitmapHead = {
  arrayUuid: "c0ffee00:11223344:55667788:99aabbcc",
  eventCount: 7n,
  clearedEventCount: 5n,
  syncSectors: (BITS * CHUNK) / 512,
  state: 0,
  chunkSize: CHUNK,
  daemonSleepSeconds: 5,
  writeBehind: 0,
  reservedSectors: 0,
};

function empty(): WriteIntents {
  const intents = new WriteIntents({ head: HEAD, bits: new Uint8Array(BITS / 8) }, []);
  intents.takeChanged();
  return intents;
}

/** Begins a write, its bits being on the members at once. */
function begin(intents: WriteIntents, start: number, end: number): void {
  intents.set(start, end);
  intents.written();
  if (!intents.tryStart(start, end)) throw new Error("it does not begin");
}

describe("a write", () => {
  test("does not begin before all its bits are on the members", () => {
    const intents = empty();
    expect(intents.tryStart(0, 512)).toBe(false);
    intents.set(0, 512);
    expect(intents.tryStart(0, 512)).toBe(false);
    intents.written();
    expect(intents.tryStart(0, 512)).toBe(true);
    expect(intents.tryStart(CHUNK - 512, CHUNK + 512)).toBe(false);
  });

  test("changes only the block of the bitmap that holds its bit", () => {
    const intents = empty();
    // The first block holds the head and 3840 bytes of bits.
    intents.set(3840 * 8 * CHUNK, 3840 * 8 * CHUNK + 512);
    expect(intents.takeChanged()).toEqual([1]);
    expect(intents.hasChanged).toBe(false);
    expect(intents.block(1)[0]).toBe(1);
    expect(
      intents
        .block(0)
        .subarray(256)
        .every((byte) => byte === 0),
    ).toBe(true);
  });
});

describe("a bit", () => {
  test("is cleared in the second round after the last write to its range has ended", () => {
    const intents = empty();
    begin(intents, 0, 512);
    begin(intents, 1024, 2048);
    intents.end(0, 512, true);
    intents.age(false);
    intents.age(false);
    expect(intents.markedCount()).toBe(1);
    intents.end(1024, 2048, true);
    intents.age(false);
    expect(intents.markedCount()).toBe(1);
    intents.age(false);
    expect(intents.markedCount()).toBe(0);
    expect(intents.hasPending).toBe(false);
  });

  test("of a range that a member missed stays until a sync has passed it", () => {
    const intents = empty();
    begin(intents, 0, 512);
    intents.end(0, 512, false);
    begin(intents, 100 * CHUNK, 100 * CHUNK + 512);
    intents.end(100 * CHUNK, 100 * CHUNK + 512, false);
    for (let round = 0; round < 5; round++) intents.age(true);
    expect(intents.markedCount()).toBe(2);
    intents.beginSync();
    intents.age(true);
    expect(intents.markedCount()).toBe(2);
    intents.syncedTo(50 * CHUNK);
    intents.age(true);
    expect(intents.markedCount()).toBe(1);
    expect(intents.isMarked(100 * CHUNK, 101 * CHUNK)).toBe(true);
    // It is broken off there.
    intents.endSync(null);
    intents.age(true);
    expect(intents.markedCount()).toBe(1);
    intents.beginSync();
    intents.endSync([]);
    intents.age(true);
    expect(intents.markedCount()).toBe(0);
  });

  test("of a range that is missed again while it is synced stays for the next sync", () => {
    const intents = empty();
    begin(intents, 0, 512);
    intents.end(0, 512, false);
    intents.beginSync();
    begin(intents, 0, 512);
    intents.end(0, 512, false);
    intents.endSync([]);
    intents.age(true);
    expect(intents.isMarked(0, CHUNK)).toBe(true);
  });

  test("is never cleared under a write, whatever comes in between", () => {
    const step = fc.record({
      what: fc.constantFrom("begin", "end", "miss", "age", "haste", "sync", "synced"),
      chunk: fc.nat(5),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const intents = empty();
        const underWay = new Map<number, number>();
        for (const { what, chunk } of steps) {
          const start = chunk * CHUNK;
          const count = underWay.get(chunk) ?? 0;
          if (what === "begin") {
            begin(intents, start, start + 512);
            underWay.set(chunk, count + 1);
          } else if ((what === "end" || what === "miss") && count > 0) {
            intents.end(start, start + 512, what === "end");
            underWay.set(chunk, count - 1);
          } else if (what === "age" || what === "haste") intents.age(what === "haste");
          else if (what === "sync") intents.beginSync();
          else if (what === "synced") intents.endSync([]);
          for (const [index, writes] of underWay)
            if (writes > 0) expect(intents.isMarked(index * CHUNK, index * CHUNK + 1)).toBe(true);
        }
      }),
    );
  });
});

describe("a bitmap that grows", () => {
  test("keeps its bits, and has all that are new set", () => {
    const intents = new WriteIntents(
      { head: { ...HEAD, syncSectors: 80 }, bits: Uint8Array.of(0b10, 0) },
      [],
    );
    const bits = intents.grownBits({ ...HEAD, syncSectors: 160 });
    expect([...bits]).toEqual([0b10, 0b1111_1100, 0b1111]);
  });
});

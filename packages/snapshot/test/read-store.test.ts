import { MetadataError, Op, closeTree, environmentFrom, openTree } from "@cev/core";
import { CheckingLayer, FaultLayer, MemoryLayer, Random } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { StoreLayout, encodeHeader, readStore } from "../src/index.ts";
import type { StoreContents } from "../src/index.ts";

const KIB = 1024;
const environment = environmentFrom(globalThis);
const CHUNK = 1 * KIB;
const ENTRIES = CHUNK / 16;
const STORE_SIZE = 300 * KIB;
const ORIGIN_SIZE = 200 * KIB;

/** A store with these exceptions, from the first entry of the first area on. */
function storeOf(
  exceptions: readonly (readonly [number | bigint, number | bigint])[],
  { size = STORE_SIZE, chunkSize = CHUNK } = {},
): Uint8Array {
  const bytes = new Uint8Array(size);
  const layout = new StoreLayout(chunkSize, size);
  bytes.set(encodeHeader({ isValid: true, chunkSize }));
  const view = new DataView(bytes.buffer);
  for (const [index, [oldChunk, newChunk]] of exceptions.entries()) {
    const at = placeOf(index, layout);
    view.setBigUint64(at, BigInt(oldChunk), true);
    view.setBigUint64(at + 8, BigInt(newChunk), true);
  }
  return bytes;
}

function placeOf(index: number, layout = new StoreLayout(CHUNK, STORE_SIZE)): number {
  const area = Math.floor(index / layout.entriesPerArea);
  return layout.chunkOfArea(area) * layout.chunkSize + (index % layout.entriesPerArea) * 16;
}

function read(bytes: Uint8Array, originSize = ORIGIN_SIZE): Promise<StoreContents> {
  const store = new MemoryLayer(environment, { size: bytes.length, contents: bytes });
  const origin = { limits: { size: originSize, logicalBlockSize: 512 } };
  return readStore({ environment, source: "cow.img", store, origin, chunkSize: 16 * KIB });
}

async function faultOf(bytes: Uint8Array): Promise<MetadataError> {
  const error: unknown = await read(bytes).then(
    () => null,
    (cause: unknown) => cause,
  );
  if (error instanceof MetadataError) return error;
  throw new Error("the store was accepted");
}

/** Exceptions of as many chunks, in the order in which they are given out. */
function exceptionsOf(count: number): [number, number][] {
  const layout = new StoreLayout(CHUNK, STORE_SIZE);
  let next = 2;
  return Array.from({ length: count }, (_, index) => {
    const exception: [number, number] = [(index * 7) % 200, next];
    next = layout.skipMetadata(next + 1);
    return exception;
  });
}

test("a blank store takes the chunks that were asked for", async () => {
  const contents = await read(new Uint8Array(STORE_SIZE));
  expect(contents).toMatchObject({ state: "blank", nextFree: 2, entryCount: 0 });
  expect(contents.layout.chunkSize).toBe(16 * KIB);
});

test.each([0, 1, ENTRIES - 1, ENTRIES, ENTRIES + 1, 2 * ENTRIES, 190])(
  "%i exceptions are read",
  async (count) => {
    const exceptions = exceptionsOf(count);
    const contents = await read(storeOf(exceptions));
    expect(contents.table.size).toBe(count);
    for (const [oldChunk, newChunk] of exceptions) expect(contents.table.get(oldChunk)).toBe(newChunk);
    expect(contents.areaIndex).toBe(Math.floor(count / ENTRIES));
    expect(contents.entryCount).toBe(count % ENTRIES);
    const last = exceptions.at(-1)?.[1] ?? 1;
    expect(contents.nextFree).toBe(contents.layout.skipMetadata(last + 1));
  },
);

test("chunks of the store may stand in any order", async () => {
  const contents = await read(
    storeOf([
      [5, 9],
      [4, 3],
      [9, 5],
    ]),
  );
  expect([5, 4, 9, 3].map((chunk) => contents.table.get(chunk))).toEqual([9, 3, 5, -1]);
  expect(contents.nextFree).toBe(10);
  expect(contents.gaps).toEqual([
    { first: 2, end: 3 },
    { first: 4, end: 5 },
    { first: 6, end: 9 },
  ]);
});

test("without an exception left out, there are no gaps between them", async () => {
  const contents = await read(storeOf(exceptionsOf(150)));
  expect(contents.gaps).toEqual([]);
});

describe("an exception that cannot be is refused with its place", () => {
  test.each([
    ["a chunk past the origin's end", [[200, 2]], 0, "old_chunk"],
    [
      "a chunk of 2^63",
      [
        [1, 2],
        [2n ** 63n, 3],
      ],
      1,
      "old_chunk",
    ],
    ["a chunk past the store's end", [[1, 300]], 0, "new_chunk"],
    ["a chunk of 2^64 - 1 in the store", [[1, 2n ** 64n - 1n]], 0, "new_chunk"],
    [
      "an area of exceptions as data",
      [
        [1, 2],
        [2, 1],
      ],
      1,
      "new_chunk",
    ],
    ["the second area as data", [[1, ENTRIES + 2]], 0, "new_chunk"],
    [
      "the same chunk twice",
      [
        [1, 2],
        [2, 3],
        [1, 4],
      ],
      2,
      "old_chunk",
    ],
    [
      "two chunks in one place",
      [
        [1, 2],
        [2, 3],
        [3, 2],
      ],
      2,
      "new_chunk",
    ],
    [
      "the header as data",
      [
        [1, 2],
        [7, 0],
      ],
      1,
      "new_chunk",
    ],
    [
      "a gap before others",
      [
        [1, 2],
        [0, 0],
        [3, 4],
      ],
      2,
      "new_chunk",
    ],
  ] as const)("%s", async (_what, exceptions, index, field) => {
    const { place, code } = await faultOf(storeOf(exceptions));
    expect(code).toBe("CEV_BAD_METADATA");
    expect(place).toMatchObject({
      source: "cow.img",
      structure: `exception ${index} of area 0`,
      field,
      byteOffset: placeOf(index) + (field === "new_chunk" ? 8 : 0),
    });
  });

  test("areas that are all full, up to the store's end", async () => {
    const size = CHUNK * (2 + ENTRIES);
    const full = exceptionsOf(ENTRIES);
    const { place } = await faultOf(storeOf(full, { size }));
    expect(place).toMatchObject({ structure: "area 1 of exceptions", byteOffset: size });
  });

  test("a store without room for an area", async () => {
    expect((await faultOf(storeOf([], { size: CHUNK }))).place).toMatchObject({
      structure: "snapshot store",
    });
  });
});

test("what a torn write left behind the end counts for nothing, and is told", async () => {
  // The first sector holds 32 entries; the second one was written, and the first was not.
  const bytes = storeOf(exceptionsOf(60));
  bytes.fill(0, placeOf(10), placeOf(32));
  const contents = await read(bytes);
  expect(contents).toMatchObject({ entryCount: 10, isTorn: true });
  expect(contents.area.subarray(160).every((byte) => byte === 0)).toBe(true);
});

test("each flipped bit of the exceptions is refused, or the exceptions are what the bytes say", async () => {
  const exceptions = exceptionsOf(70);
  const clean = storeOf(exceptions);
  const random = new Random(4);
  for (let count = 0; count < 400; count++) {
    const index = random.below(exceptions.length + 4);
    const bit = random.below(128);
    const bytes = clean.slice();
    const at = placeOf(index) + (bit >> 3);
    bytes[at] = bytes[at]! ^ (1 << (bit & 7));
    const contents = await read(bytes).catch((error: unknown) => {
      expect(error).toBeInstanceOf(MetadataError);
      return null;
    });
    if (contents === null) continue;
    // All other exceptions are there, and this one leads to a chunk that may hold data.
    expect(contents.table.size, `bit ${bit} of entry ${index}`).toBe(exceptions.length);
    for (const [other, [oldChunk, newChunk]] of exceptions.entries())
      if (other !== index) expect(contents.table.get(oldChunk)).toBe(newChunk);
  }
});

test("an area that cannot be read is told of when nothing is under way on the store any more", async () => {
  const store = new MemoryLayer(environment, { size: STORE_SIZE, contents: storeOf(exceptionsOf(190)) });
  const faults = new FaultLayer(store, environment);
  // The second of those that are read together; the first takes a little longer.
  const layout = new StoreLayout(CHUNK, STORE_SIZE);
  const areaAt = (area: number): number => layout.chunkOfArea(area) * CHUNK;
  faults.add({ op: Op.read, offset: areaAt(1), length: CHUNK, fault: { kind: "delay", delayMs: 5 } });
  faults.addBadRange(areaAt(2), CHUNK);
  const checks = new CheckingLayer(faults);
  const origin = { limits: { size: ORIGIN_SIZE, logicalBlockSize: 512 } };
  await openTree(checks);
  await expect(
    readStore({ environment, source: "cow.img", store: checks, origin, chunkSize: CHUNK }),
  ).rejects.toMatchObject({ code: "CEV_MEDIUM" });
  await closeTree(checks);
  expect(checks.violations).toEqual([]);
});

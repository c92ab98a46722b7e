import { Random } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { StoreLayout } from "../src/index.ts";
import { StoreRoom, gapsBetween } from "../src/store-room.ts";

const KIB = 1024;
const CHUNK = 1 * KIB;
const { CEV_SEED = String(Date.now() % 1_000_000) } = process.env;

/** All chunks of data that a store has room for. */
function dataChunks(layout: StoreLayout): number[] {
  const chunks: number[] = [];
  for (let chunk = layout.skipMetadata(0); chunk < layout.chunkCount; chunk = layout.skipMetadata(chunk + 1))
    chunks.push(chunk);
  return chunks;
}

describe("the room of a store", () => {
  test.each([80 * KIB, 200 * KIB, 300 * KIB])(
    `of %i bytes is given out to the last chunk, each once, whatever was in use and comes back (CEV_SEED=${CEV_SEED})`,
    (size) => {
      const random = new Random(Number(CEV_SEED));
      for (let round = 0; round < 50; round++) {
        const layout = new StoreLayout(CHUNK, size);
        const all = dataChunks(layout);
        const used = new Set(random.shuffled(all).slice(0, random.below(all.length)));
        const nextFree = layout.skipMetadata(Math.max(1, ...used) + 1);
        const room = new StoreRoom(layout, nextFree, gapsBetween([...used], layout));
        let givenBackCount = 0;
        for (let length = room.runLength; length > 0; length = room.runLength) {
          const count = random.between(1, Math.min(length, 9));
          const first = room.take(count);
          if (givenBackCount < 20 && random.chance(0.2)) {
            room.giveBack(first, count);
            givenBackCount++;
            continue;
          }
          for (let chunk = first; chunk < first + count; chunk++) {
            expect(used.has(chunk), `chunk ${chunk}`).toBe(false);
            used.add(chunk);
          }
        }
        expect([...used].sort((a, b) => a - b)).toEqual(all);
      }
    },
  );
});

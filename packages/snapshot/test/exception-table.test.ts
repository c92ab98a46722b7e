import { Random } from "@cev/test-kit";
import { expect, test } from "vitest";
import { ExceptionTable } from "../src/exception-table.ts";

test.each([1, 2, 3])("adds, finds and deletes as a map does, seed %i", (seed) => {
  const random = new Random(seed);
  const table = new ExceptionTable();
  const map = new Map<number, number>();
  // Few chunks, so that they meet again; some pass 32 bits.
  const chunk = (): number => random.below(300) * (random.chance(0.3) ? 2 ** 33 + 1 : 1);
  for (let count = 0; count < 3000; count++) {
    const oldChunk = chunk();
    const newChunk = random.below(2 ** 40);
    if (random.chance(0.45)) {
      expect(table.delete(oldChunk)).toBe(map.delete(oldChunk));
    } else {
      expect(table.add(oldChunk, newChunk)).toBe(!map.has(oldChunk));
      if (!map.has(oldChunk)) map.set(oldChunk, newChunk);
    }
    const asked = chunk();
    expect(table.get(asked)).toBe(map.get(asked) ?? -1);
    expect(table.size).toBe(map.size);
  }
  for (const [oldChunk, newChunk] of map) expect(table.get(oldChunk)).toBe(newChunk);
});

// Hours, if each looked at a share of the others.
test("a million exceptions are added and found in a moment", () => {
  const table = new ExceptionTable();
  const count = 1_000_000;
  for (let index = 0; index < count; index++) table.add(index * 3, index);
  let sum = 0;
  for (let index = 0; index < count; index++) sum += table.get(index * 3) + table.get(index * 3 + 1);
  expect(sum).toBe((count * (count - 1)) / 2 - count);
});

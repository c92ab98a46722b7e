import { Random } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { contentOfImages, dataOf, makeImages } from "../src/images/images.ts";
import { arraySizeOf, placesOf, redundancyFaults } from "../src/reference.ts";
import { hasParity, isRedundant, nameOfShape } from "../src/shape.ts";
import { CRASH_SHAPES } from "../src/shapes.ts";

const SMALL = CRASH_SHAPES.filter(({ memberSize }) => memberSize <= 65_536);

describe.each(SMALL.map((shape) => ({ name: nameOfShape(shape), shape })))("$name", ({ shape }) => {
  const content = new Random(7).bytes(arraySizeOf(shape));

  test("gives every byte of the array places of its own", () => {
    const seen = new Set<string>();
    const step = 512;
    let count = 0;
    for (let at = 0; at < content.length; at += step) {
      for (const { member, offset } of placesOf(shape, at)) {
        seen.add(`${member} ${offset}`);
        count++;
      }
    }
    expect(seen.size).toBe(count);
  });

  test("holds what was put there, in each copy", () => {
    const images = makeImages(shape, content);
    for (const copy of [0, 1]) expect(contentOfImages(shape, images, copy)).toEqual(content);
  });
});

describe.each(SMALL.filter(isRedundant).map((shape) => ({ name: nameOfShape(shape), shape })))(
  "$name",
  ({ shape }) => {
    const content = new Random(7).bytes(arraySizeOf(shape));

    test("tells of a single byte that does not fit the others", () => {
      const members = makeImages(shape, content).map((image) => dataOf(shape, image));
      expect(redundancyFaults(shape, members)).toEqual([]);
      const random = new Random(8);
      for (let round = 0; round < 20; round++) {
        // A byte that is used: of some byte of the array, or in the same row of another member where there is a parity.
        const { member, offset } = random.pick(placesOf(shape, random.below(content.length)));
        const hit = hasParity(shape) ? random.below(shape.memberCount) : member;
        members[hit]![offset]! ^= 1 << random.below(8);
        expect(redundancyFaults(shape, members), `member ${hit} byte ${offset}`).toHaveLength(1);
        members[hit]!.set(dataOf(shape, makeImages(shape, content)[hit]!));
      }
    });
  },
);

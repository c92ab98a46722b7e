import { fc, test } from "@fast-check/vitest";
import { describe, expect, it } from "vitest";
import type { Geometry } from "../src/levels/level.ts";
import { linear } from "../src/levels/linear.ts";
import { isMultiZone, raid0 } from "../src/levels/raid0.ts";
import { ZoneMap, ZonePlace } from "../src/levels/zone-map.ts";

const SECTOR = 512;

interface Piece {
  readonly member: number;
  readonly memberChunk: number;
}

/**
 * The chunks of a RAID0 in order, as md(4) tells it: row by row over all members that still have room; in the original
 * layout, a chunk goes to the one of these that its number in the array points to.
 */
function chunksOf(rooms: readonly number[], isOriginal: boolean): Piece[] {
  const pieces: Piece[] = [];
  for (let row = 0; ; row++) {
    const members = [...rooms.keys()].filter((member) => rooms[member]! > row);
    if (members.length === 0) return pieces;
    const first = pieces.length;
    for (let chunk = first; chunk < first + members.length; chunk++) {
      const turn = isOriginal ? chunk % members.length : chunk - first;
      pieces.push({ member: members[turn]!, memberChunk: row });
    }
  }
}

const shapes = fc.record({
  layout: fc.constantFrom(1, 2),
  chunkSectors: fc.integer({ min: 1, max: 40 }).map((pages) => pages * 8),
  rooms: fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 7 }),
  rest: fc.nat(7),
});

function geometryOf(level: number, shape: typeof shapes extends fc.Arbitrary<infer T> ? T : never): Geometry {
  const chunkSize = shape.chunkSectors * SECTOR;
  const memberSizes = shape.rooms.map((room) => room * chunkSize + shape.rest * SECTOR);
  return { level, layout: shape.layout, chunkSize, memberSizes, memberCount: memberSizes.length };
}

describe("a zone map", () => {
  test.prop([shapes])("puts every chunk of a RAID0 where filling the members row by row puts it", (shape) => {
    const geometry = geometryOf(0, shape);
    const map = new ZoneMap(geometry);
    const { chunkSize } = geometry;
    const pieces = chunksOf(shape.rooms, shape.layout === 1);
    expect(map.zones.at(-1)!.end).toBe(pieces.length * chunkSize);
    pieces.forEach(({ member, memberChunk }, chunk) => {
      // All of it, unless the kernel does not count it in.
      for (const offset of [chunk * chunkSize, (chunk + 1) * chunkSize - SECTOR]) {
        if (offset >= map.size) continue;
        const memberOffset = memberChunk * chunkSize + (offset - chunk * chunkSize);
        expect([map.memberOf(offset), map.memberOffsetOf(offset)]).toEqual([member, memberOffset]);
        expect(map.arrayOffsetOf(member, memberOffset)).toBe(offset);
      }
    });
  });

  test.prop([shapes, fc.constantFrom(-1, 0)])(
    "cuts the array into pieces that touch no byte of a member twice",
    (shape, level) => {
      const geometry = geometryOf(level, shape);
      const map = new ZoneMap(geometry);
      const place = new ZonePlace();
      const taken = geometry.memberSizes.map(() => 0);
      let isInOrder = true;
      for (let offset = 0; offset < map.size; offset += place.length) {
        map.locate(offset, place);
        const { memberIndex, memberOffset, length } = place;
        expect(length).toBeGreaterThan(0);
        expect(map.restOf(offset + length - SECTOR)).toBe(SECTOR);
        expect(map.arrayOffsetOf(memberIndex, memberOffset + length - SECTOR)).toBe(offset + length - SECTOR);
        isInOrder &&= memberOffset === taken[memberIndex];
        taken[memberIndex]! += length;
      }
      expect(isInOrder).toBe(true);
      expect(taken.reduce((sum, length) => sum + length, 0)).toBe(map.size);
      geometry.memberSizes.forEach((size, member) => expect(map.arrayOffsetOf(member, size)).toBe(-1));
    },
  );

  test.prop([fc.array(fc.integer({ min: 1, max: 2 ** 40 }), { minLength: 1, maxLength: 9 }), fc.nat()])(
    "lays the members of a linear array end to end",
    (sectors, seed) => {
      const memberSizes = sectors.map((count) => count * SECTOR);
      const map = new ZoneMap({
        level: -1,
        layout: 0,
        chunkSize: 0,
        memberSizes,
        memberCount: sectors.length,
      });
      const member = seed % sectors.length;
      const start = memberSizes.slice(0, member).reduce((sum, size) => sum + size, 0);
      expect(map.size).toBe(memberSizes.reduce((sum, size) => sum + size, 0));
      expect([map.memberOf(start), map.memberOffsetOf(start)]).toEqual([member, 0]);
      expect(map.restOf(start)).toBe(memberSizes[member]);
      expect(map.arrayOffsetOf(member, memberSizes[member]! - 1)).toBe(start + memberSizes[member]! - 1);
    },
  );

  it("leaves members out that hold no chunk", () => {
    const memberSizes = [4096, 512, 12_288];
    const map = new ZoneMap({ level: 0, layout: 1, chunkSize: 4096, memberSizes, memberCount: 3 });
    expect(map.size).toBe(16_384);
    expect(map.arrayOffsetOf(1, 0)).toBe(-1);
    expect([0, 4096, 8192].map((offset) => map.memberOf(offset))).toEqual([0, 2, 2]);
  });
});

describe("RAID0", () => {
  const unequal = { level: 0, chunkSize: 4096, memberSizes: [8192, 12_288], memberCount: 2 };

  it("needs to know its layout where its members are unequal, in whole chunks", () => {
    expect(isMultiZone({ ...unequal, layout: 0 })).toBe(true);
    expect(isMultiZone({ ...unequal, layout: 0, memberSizes: [8192, 9000] })).toBe(false);
    expect(() => new ZoneMap({ ...unequal, layout: 0 })).toThrow();
    expect(new ZoneMap({ ...unequal, layout: 0, memberSizes: [8192, 9000] }).size).toBe(16_384);
  });

  it("bears no loss, and neither does linear", () => {
    for (const level of [raid0, linear]) {
      const geometry = { ...unequal, layout: 1, level: level.number };
      expect(level.survives(geometry, () => true)).toBe(true);
      expect(level.survives(geometry, (member) => member !== 1)).toBe(false);
      expect(level.syncSizeOf(geometry)).toBe(0);
    }
  });
});

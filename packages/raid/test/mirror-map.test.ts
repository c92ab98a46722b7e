import { fc, test } from "@fast-check/vitest";
import { describe, expect, it } from "vitest";
import type { Geometry } from "../src/levels/level.ts";
import { MirrorMap } from "../src/levels/mirror-map.ts";
import { raid1 } from "../src/levels/raid1.ts";
import { raid10 } from "../src/levels/raid10.ts";
import { decodeRaid10Layout } from "../src/levels/raid10-layout.ts";

const CHUNK = 4096;
const OFFSET = 1 << 16;

const geometries = fc
  .record({
    memberCount: fc.integer({ min: 2, max: 9 }),
    near: fc.integer({ min: 1, max: 4 }),
    far: fc.integer({ min: 1, max: 4 }),
    isOffset: fc.boolean(),
    sets: fc.constantFrom(0, 1, 2),
    chunks: fc.integer({ min: 4, max: 25 }),
    rest: fc.nat(CHUNK - 1),
  })
  .map(({ memberCount, near, far, isOffset, sets, chunks, rest }) => ({
    level: 10,
    layout: near + (far << 8) + (isOffset ? OFFSET : 0) + (sets << 17),
    chunkSize: CHUNK,
    memberCount,
    memberSizes: new Array<number>(memberCount).fill(chunks * CHUNK + rest),
  }))
  .filter(({ layout, memberCount }) => decodeRaid10Layout(layout, memberCount) !== null);

/** One row of chunks, each of them moved on by so many members within its set. */
function shifted(row: readonly number[], by: number, setSize: number): number[] {
  const result: number[] = [];
  for (let start = 0; start < row.length;) {
    // What is left over, less than another set, belongs to the last one.
    const end = row.length - start < 2 * setSize ? row.length : start + setSize;
    const set = row.slice(start, end);
    result.push(...set.map((_, index) => set[(index + by * set.length - by) % set.length]!));
    start = end;
  }
  return result;
}

/** By member, the chunk that each of its places holds, or -1: written out copy by copy, as md(4) describes the layouts. */
function gridOf({ layout, memberCount, memberSizes }: Geometry): number[][] {
  const near = layout & 0xff;
  const far = (layout >> 8) & 0xff;
  const setSize = [memberCount, Math.floor(memberCount / far), near * far][layout >> 17]!;
  const rowCount = Math.floor(Math.floor(memberSizes[0]! / CHUNK) / far);
  const slots: number[] = [];
  for (let chunk = 0; slots.length + near <= rowCount * memberCount; chunk++)
    for (let copy = 0; copy < near; copy++) slots.push(chunk);
  while (slots.length < rowCount * memberCount) slots.push(-1);
  const rows = Array.from({ length: rowCount }, (_, row) =>
    slots.slice(row * memberCount, (row + 1) * memberCount),
  );
  const copies = [...new Array(far).keys()];
  const isOffset = (layout & OFFSET) !== 0;
  const all = isOffset
    ? rows.flatMap((row) => copies.map((copy) => shifted(row, copy * near, setSize)))
    : copies.flatMap((copy) => rows.map((row) => shifted(row, copy * near, setSize)));
  return [...new Array(memberCount).keys()].map((member) => all.map((row) => row[member]!));
}

describe("a mirror map of RAID10", () => {
  test.prop([geometries])("puts every copy where writing out the layout puts it, and back", (geometry) => {
    const map = new MirrorMap(geometry);
    const grid = gridOf(geometry);
    expect(map.memberSize).toBe(grid[0]!.length * CHUNK);
    const seen = grid.map((column) => column.map(() => -1));
    for (let offset = 0; offset < map.size; offset += CHUNK) {
      for (let copy = 0; copy < map.copyCount; copy++) {
        const member = map.memberOf(offset, copy);
        const memberOffset = map.memberOffsetOf(offset, copy);
        // No two copies lie on the same place.
        expect(seen[member]![memberOffset / CHUNK]).toBe(-1);
        seen[member]![memberOffset / CHUNK] = offset / CHUNK;
        expect(map.memberOf(offset + CHUNK - 1, copy)).toBe(member);
        expect(map.memberOffsetOf(offset + 1, copy)).toBe(memberOffset + 1);
      }
    }
    expect(seen).toEqual(grid);
    grid.forEach((column, member) =>
      column.forEach((chunk, index) => {
        expect(map.arrayOffsetOf(member, index * CHUNK + 5)).toBe(chunk < 0 ? -1 : chunk * CHUNK + 5);
      }),
    );
    expect(map.arrayOffsetOf(0, map.memberSize)).toBe(-1);
    expect(raid10.sizeOf(geometry)).toBe((Math.max(...grid.flat()) + 1) * CHUNK);
  });

  test.prop([geometries])(
    "never puts two copies on one member, where sets are as large as the copies",
    (geometry) => {
      const { farSetSize, farCount, nearCount } = decodeRaid10Layout(geometry.layout, geometry.memberCount)!;
      fc.pre(farSetSize >= farCount * nearCount);
      const map = new MirrorMap(geometry);
      for (let offset = 0; offset < map.size; offset += CHUNK) {
        const members = [...new Array(map.copyCount).keys()].map((copy) => map.memberOf(offset, copy));
        expect(new Set(members).size).toBe(map.copyCount);
      }
    },
  );

  test.prop([geometries, fc.nat(2 ** 9 - 1)])(
    "survives as long as every chunk has a copy on a member that is there",
    (geometry, present) => {
      const isPresent = (member: number): boolean => ((present >> member) & 1) === 1;
      const grid = gridOf(geometry);
      const chunkCount = Math.max(...grid.flat()) + 1;
      // Too short an array may be luckier than its layout.
      fc.pre(chunkCount >= geometry.memberCount);
      const had = new Set(grid.filter((_, member) => isPresent(member)).flat());
      had.delete(-1);
      expect(raid10.survives(geometry, isPresent)).toBe(had.size === chunkCount);
    },
  );

  test.prop([geometries, fc.nat(2 ** 40), fc.nat()])("is exact past 2^32", (geometry, chunk, seed) => {
    const memberSizes = geometry.memberSizes.map(() => 2 ** 47);
    const map = new MirrorMap({ ...geometry, memberSizes });
    const offset = (chunk * CHUNK + (seed % CHUNK)) % map.size;
    const copy = seed % map.copyCount;
    const member = map.memberOf(offset, copy);
    expect(map.arrayOffsetOf(member, map.memberOffsetOf(offset, copy))).toBe(offset);
    expect(map.memberOffsetOf(offset, copy)).toBeLessThan(map.memberSize);
  });

  it("ends its pieces with the chunk, unless all members hold the same", () => {
    const of = (layout: number, memberCount: number): MirrorMap =>
      new MirrorMap({
        level: 10,
        layout,
        chunkSize: CHUNK,
        memberCount,
        memberSizes: new Array<number>(memberCount).fill(3 * CHUNK),
      });
    expect(of(0x102, 3).chunkRest(CHUNK + 1000)).toBe(CHUNK - 1000);
    expect(of(0x102, 3).memberRest(CHUNK + 1000)).toBe(CHUNK - 1000);
    expect(of(0x102, 2).chunkRest(1000)).toBe(3 * CHUNK - 1000);
    expect(of(0x102, 2).memberRest(1000)).toBe(3 * CHUNK - 1000);
  });
});

describe("the layouts of RAID10", () => {
  it("have the names that mdadm prints and takes", () => {
    expect(raid10.layoutName(0x102, 3)).toBe("near=2");
    expect(raid10.layoutName(0x301, 4)).toBe("far=3");
    expect(raid10.layoutName(0x1_0201, 4)).toBe("offset=2");
    expect(raid10.layoutName(0x202, 4)).toBe("near=2, far=2");
    expect(["n2", "f3", "o2", "near=2", "far=3", "offset=2", "default"].map(raid10.layoutNumber)).toEqual([
      0x102, 0x301, 0x1_0201, 0x102, 0x301, 0x1_0201, 0x102,
    ]);
    expect(["", "n", "n0", "n201", "x2", "left-symmetric"].map(raid10.layoutNumber)).toEqual(
      new Array<null>(6).fill(null),
    );
    expect(raid10.layoutDefault(5)).toBe(0x102);
  });

  it("are refused with fewer than two copies, more copies than members, or bits that mean nothing", () => {
    for (const layout of [0x101, 0, 0x103, 0x201 | (3 << 17), 0x201 | (1 << 19), -1, 0x8000_0102])
      expect(raid10.layoutName(layout, 2)).toBeNull();
    // Here the kernel puts copies of different chunks on the same place.
    expect(raid10.layoutName(0x202 | (2 << 17), 9)).toBeNull();
    expect(raid10.layoutName(0x202 | (2 << 17), 8)).toBe("near=2, far=2");
    expect(raid10.layoutName(0x202 | OFFSET, 5)).toBeNull();
    expect(raid10.layoutName(0x202 | OFFSET, 6)).toBe("near=2, offset=2");
  });
});

describe("RAID1", () => {
  const geometry: Geometry = {
    level: 1,
    layout: 0,
    chunkSize: 0,
    memberCount: 3,
    memberSizes: [9000, 8192, 8192],
  };

  it("is the same on every member", () => {
    const map = new MirrorMap(geometry);
    expect([map.size, map.memberSize, map.copyCount]).toEqual([8192, 8192, 3]);
    expect([map.chunkRest(1000), map.memberRest(1000)]).toEqual([7192, 7192]);
    expect([0, 1, 2].map((copy) => [map.memberOf(5000, copy), map.memberOffsetOf(5000, copy)])).toEqual([
      [0, 5000],
      [1, 5000],
      [2, 5000],
    ]);
    expect([map.arrayOffsetOf(2, 8191), map.arrayOffsetOf(2, 8192)]).toEqual([8191, -1]);
    expect([raid1.sizeOf(geometry), raid1.syncSizeOf(geometry)]).toEqual([8192, 8192]);
  });

  it("survives as long as one member is there", () => {
    expect(raid1.survives(geometry, (member) => member === 2)).toBe(true);
    expect(raid1.survives(geometry, () => false)).toBe(false);
  });
});

import { fc, test } from "@fast-check/vitest";
import { describe, expect, it } from "vitest";
import { stripeLayout } from "../src/levels/levels.ts";
import { RAID4_LAYOUT } from "../src/levels/raid4.ts";
import { RAID5_LAYOUTS } from "../src/levels/raid5.ts";
import { RAID6_LAYOUTS } from "../src/levels/raid6.ts";
import type { StripeLayout } from "../src/levels/stripe-layout.ts";
import { StripeMap } from "../src/levels/stripe.ts";

/**
 * The tables of the layouts for four members, from md's documentation of them: a letter is a data column, P the parity.
 */
const TABLES: Readonly<Record<string, readonly string[]>> = {
  "left-asymmetric": ["abcP", "abPc", "aPbc", "Pabc"],
  "right-asymmetric": ["Pabc", "aPbc", "abPc", "abcP"],
  "left-symmetric": ["abcP", "bcPa", "cPab", "Pabc"],
  "right-symmetric": ["Pabc", "cPab", "bcPa", "abcP"],
  "parity-first": ["Pabc", "Pabc", "Pabc", "Pabc"],
  "parity-last": ["abcP", "abcP", "abcP", "abcP"],
};

const ALL_LAYOUTS = [RAID4_LAYOUT, ...RAID5_LAYOUTS, ...RAID6_LAYOUTS];

/** One stripe as letters, member by member: data columns from "a" on, P and Q. */
function rowOf(layout: StripeLayout, stripe: number, memberCount: number): string {
  const row = new Array<string>(memberCount).fill(" ");
  row[layout.parityMember(stripe, memberCount)] = "P";
  if (layout.parityCount === 2) row[layout.qMember(stripe, memberCount)] = "Q";
  for (let column = 0; column < memberCount - layout.parityCount; column++)
    row[layout.dataMember(stripe, column, memberCount)] = String.fromCharCode(97 + column);
  return row.join("");
}

/**
 * The same for RAID6 the slow way: the parities of stripe 0 are turned with the row, and the letters are dealt out
 * afterwards, in the order of the members or round the ring from the last parity on.
 */
function dealtRow(layout: StripeLayout, stripe: number, memberCount: number): string {
  const data = "d".repeat(memberCount - 2);
  const [first, step, ring] = WALKS[layout.name]!;
  let row = first.replace("d", data);
  for (let turn = 0; turn < stripe % ring(memberCount); turn++) {
    const turning = row.slice(0, ring(memberCount));
    row =
      (step < 0
        ? turning.slice(1) + turning[0]!
        : step > 0
          ? turning.at(-1)! + turning.slice(0, -1)
          : turning) + row.slice(ring(memberCount));
  }
  let start = 0;
  const isSymmetric = layout.name.includes("-symmetric") || layout.name === "ddf-N-continue";
  if (isSymmetric) {
    const isQLast = layout.name.endsWith("-6");
    start = (isQLast || layout.name === "ddf-N-continue" ? row.indexOf("P") : row.indexOf("Q")) + 1;
  }
  const letters = Array.from(row);
  let column = 0;
  for (let index = start; index < start + memberCount; index++) {
    const member = index % memberCount;
    if (letters[member] === "d") letters[member] = String.fromCharCode(97 + column++);
  }
  return letters.join("");
}

const all = (memberCount: number): number => memberCount;
const allButLast = (memberCount: number): number => memberCount - 1;
/** By name: the first stripe, which way it turns, and how many members turn. */
const WALKS: Readonly<Record<string, readonly [string, number, (memberCount: number) => number]>> = {
  "left-asymmetric": ["QdP", -1, all],
  "right-asymmetric": ["PQd", 1, all],
  "left-symmetric": ["QdP", -1, all],
  "right-symmetric": ["PQd", 1, all],
  "parity-first": ["PQd", 0, all],
  "parity-last": ["dPQ", 0, all],
  "ddf-zero-restart": ["PQd", 1, all],
  "ddf-N-restart": ["dPQ", -1, all],
  "ddf-N-continue": ["dQP", -1, all],
  "left-asymmetric-6": ["dPQ", -1, allButLast],
  "right-asymmetric-6": ["PdQ", 1, allButLast],
  "left-symmetric-6": ["dPQ", -1, allButLast],
  "right-symmetric-6": ["PdQ", 1, allButLast],
  "parity-first-6": ["PdQ", 0, allButLast],
};

describe("layouts", () => {
  it.each(RAID5_LAYOUTS)("$name puts columns and parity where its table says", (layout) => {
    expect([0, 1, 2, 3].map((stripe) => rowOf(layout, stripe, 4))).toEqual(TABLES[layout.name]);
  });

  it.each(RAID6_LAYOUTS)(
    "$name of RAID6 puts columns and parities where turning the row puts them",
    (layout) => {
      for (let memberCount = 4; memberCount < 12; memberCount++) {
        for (let stripe = 0; stripe < 25; stripe++)
          expect(rowOf(layout, stripe, memberCount)).toBe(dealtRow(layout, stripe, memberCount));
      }
    },
  );

  it.each(RAID6_LAYOUTS)("$name of RAID6 counts Q's coefficients from the member after Q on", (layout) => {
    for (let memberCount = 4; memberCount < 12; memberCount++) {
      for (let stripe = 0; stripe < 25; stripe++) {
        const row = rowOf(layout, stripe, memberCount);
        const q = row.indexOf("Q");
        const order = Array.from(row.slice(q + 1) + row.slice(0, q)).filter((letter) => letter !== "P");
        for (let column = 0; column < memberCount - 2; column++) {
          const letter = String.fromCharCode(97 + column);
          // DDF's go by member.
          const exponent = layout.name.startsWith("ddf") ? row.indexOf(letter) : order.indexOf(letter);
          expect(layout.qExponent(stripe, column, memberCount)).toBe(exponent);
        }
      }
    }
  });

  test.prop([fc.constantFrom(...ALL_LAYOUTS), fc.nat(2 ** 40), fc.integer({ min: 4, max: 40 })])(
    "columnOf is the inverse of dataMember, -1 for P alone and -2 for Q alone",
    (layout, stripe, memberCount) => {
      const p = layout.parityMember(stripe, memberCount);
      const seen = new Set<number>([p]);
      expect(layout.columnOf(stripe, p, memberCount)).toBe(-1);
      if (layout.parityCount === 2) {
        const q = layout.qMember(stripe, memberCount);
        expect(layout.columnOf(stripe, q, memberCount)).toBe(-2);
        seen.add(q);
      } else {
        expect(layout.qMember(stripe, memberCount)).toBe(-1);
      }
      for (let column = 0; column < memberCount - layout.parityCount; column++) {
        const member = layout.dataMember(stripe, column, memberCount);
        expect(layout.columnOf(stripe, member, memberCount)).toBe(column);
        seen.add(member);
      }
      expect([...seen].sort((a, b) => a - b)).toEqual([...new Array(memberCount).keys()]);
    },
  );

  it("are known by level and number, with the gaps that md leaves", () => {
    expect(stripeLayout(4, 99)?.name).toBe("parity-last");
    expect([0, 1, 2, 3, 4, 5].map((layout) => stripeLayout(5, layout))).toEqual(RAID5_LAYOUTS);
    for (const layout of RAID6_LAYOUTS) expect(stripeLayout(6, layout.number)).toBe(layout);
    for (const [level, layout] of [
      [5, 6],
      [5, -1],
      [6, 6],
      [6, 7],
      [6, 11],
      [6, 15],
      [6, 21],
      [10, 2],
      [1, 0],
    ] as const)
      expect(stripeLayout(level, layout)).toBeNull();
  });
});

describe("a stripe map", () => {
  const map = fc
    .record({
      layout: fc.constantFrom(...ALL_LAYOUTS),
      chunkSize: fc.integer({ min: 12, max: 20 }).map((order) => 2 ** order),
      memberCount: fc.integer({ min: 4, max: 12 }),
    })
    .map((options) => new StripeMap(options));

  test.prop([map, fc.nat(2 ** 49)])("maps a byte to a member and back, also past 2^32", (stripes, offset) => {
    const member = stripes.memberOf(offset);
    const stripe = stripes.stripeOf(offset);
    expect(stripes.arrayOffsetOf(member, stripes.memberOffsetOf(offset))).toBe(offset);
    const column = Math.floor((offset % stripes.stripeSize) / stripes.chunkSize);
    expect(stripes.dataMember(stripe, column)).toBe(member);
    expect(stripes.columnOf(stripe, member)).toBe(column);
    expect(member).not.toBe(stripes.parityMember(stripe));
    expect(member).not.toBe(stripes.qMember(stripe));
  });

  test.prop([map, fc.nat(2 ** 45)])(
    "knows how much of a chunk and of a stripe is left",
    (stripes, offset) => {
      const chunkEnd = offset + stripes.chunkRest(offset);
      const stripeEnd = offset + stripes.stripeRest(offset);
      expect(chunkEnd % stripes.chunkSize).toBe(0);
      expect(stripeEnd % stripes.stripeSize).toBe(0);
      expect(stripes.memberOf(chunkEnd - 1)).toBe(stripes.memberOf(offset));
      expect(stripes.stripeOf(stripeEnd - 1)).toBe(stripes.stripeOf(offset));
      expect(stripes.stripeOf(stripeEnd)).toBe(stripes.stripeOf(offset) + 1);
    },
  );

  it("has as many data columns as the parities leave, down to two members", () => {
    const smallest = new StripeMap({ layout: RAID5_LAYOUTS[2]!, chunkSize: 4096, memberCount: 2 });
    expect([smallest.parityCount, smallest.dataCount, smallest.stripeSize]).toEqual([1, 1, 4096]);
    expect([smallest.memberOf(0), smallest.memberOf(4096), smallest.memberOf(8192)]).toEqual([0, 1, 0]);
    const six = new StripeMap({ layout: RAID6_LAYOUTS[2]!, chunkSize: 4096, memberCount: 6 });
    expect([six.parityCount, six.dataCount, six.stripeSize]).toEqual([2, 4, 16_384]);
  });
});

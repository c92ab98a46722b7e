import { fc, test } from "@fast-check/vitest";
import { describe, expect, it } from "vitest";
import { RAID5_LAYOUTS } from "../src/levels/raid5.ts";
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

describe("layouts", () => {
  it.each(RAID5_LAYOUTS)("$name puts columns and parity where its table says", (layout) => {
    const rows = [0, 1, 2, 3].map((stripe) => {
      const row = [" ", " ", " ", " "];
      row[layout.parityMember(stripe, 4)] = "P";
      for (let column = 0; column < 3; column++) row[layout.dataMember(stripe, column, 4)] = "abc"[column]!;
      return row.join("");
    });
    expect(rows).toEqual(TABLES[layout.name]);
  });

  test.prop([fc.constantFrom(...RAID5_LAYOUTS), fc.nat(2 ** 40), fc.integer({ min: 2, max: 40 })])(
    "columnOf is the inverse of dataMember, and -1 for the parity alone",
    (layout, stripe, memberCount) => {
      const seen = new Set<number>([layout.parityMember(stripe, memberCount)]);
      expect(layout.columnOf(stripe, layout.parityMember(stripe, memberCount), memberCount)).toBe(-1);
      for (let column = 0; column < memberCount - 1; column++) {
        const member = layout.dataMember(stripe, column, memberCount);
        expect(layout.columnOf(stripe, member, memberCount)).toBe(column);
        seen.add(member);
      }
      expect(seen.size).toBe(memberCount);
    },
  );
});

describe("a stripe map", () => {
  const map = fc
    .record({
      layout: fc.constantFrom(...RAID5_LAYOUTS),
      chunkSize: fc.integer({ min: 12, max: 20 }).map((order) => 2 ** order),
      memberCount: fc.integer({ min: 2, max: 12 }),
    })
    .map((options) => new StripeMap(options));

  test.prop([map, fc.nat(2 ** 49)])("maps a byte to a member and back, also past 2^32", (stripes, offset) => {
    const member = stripes.memberOf(offset);
    expect(stripes.arrayOffsetOf(member, stripes.memberOffsetOf(offset))).toBe(offset);
    const column = Math.floor((offset % stripes.stripeSize) / stripes.chunkSize);
    expect(stripes.dataMember(stripes.stripeOf(offset), column)).toBe(member);
    expect(member).not.toBe(stripes.parityMember(stripes.stripeOf(offset)));
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
});

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Geometry } from "../src/levels/level.ts";
import { levelOf, stripeLayout } from "../src/levels/levels.ts";
import { MirrorMap } from "../src/levels/mirror-map.ts";
import { StripeMap } from "../src/levels/stripe.ts";
import { ZoneMap } from "../src/levels/zone-map.ts";
import { gfPower } from "../src/kernels/galois-field.ts";
import { UNIT, kernelArrays } from "./kernel-layouts/recipes.ts";

/** What the kernel answered for one array: by member, what each unit of 4 KiB of its data holds. */
interface Answer {
  readonly geometry: Geometry;
  readonly size: number;
  readonly members: readonly (readonly string[])[];
}

/** Written by kernel-layouts/make.ts. */
const TEXT = readFileSync(new URL("kernel-layouts/places.txt", import.meta.url), "utf8");
const ANSWERS: readonly Answer[] = TEXT.trim()
  .split("\n")
  .map((line) => {
    const [level, layout, chunkSize, sizes, size, ...members] = line.split(" ");
    const memberSizes = sizes!.split("+").map(Number);
    return {
      geometry: {
        level: Number(level),
        layout: Number(layout),
        chunkSize: Number(chunkSize),
        memberCount: memberSizes.length,
        memberSizes,
      },
      size: Number(size),
      members: members.map((units) => units.split(",")),
    };
  });

/** What the maps say that a unit of a member holds, in the words of the kernel's answers. */
type UnitOf = (member: number, memberOffset: number) => string;

function stripeUnits({ level, layout, chunkSize, memberCount }: Geometry): UnitOf {
  const map = new StripeMap({ layout: stripeLayout(level, layout)!, chunkSize, memberCount });
  return (member, memberOffset) => {
    const stripe = memberOffset / chunkSize;
    switch (map.columnOf(stripe, member)) {
      case -1:
        expect(map.parityMember(stripe)).toBe(member);
        return "P";
      case -2: {
        expect(map.qMember(stripe)).toBe(member);
        const columns = [...new Array(map.dataCount).keys()];
        return `Q${columns.map((column) => gfPower(2, map.qExponent(stripe, column))).join(".")}`;
      }
      default: {
        const offset = map.arrayOffsetOf(member, memberOffset);
        expect([map.memberOf(offset), map.memberOffsetOf(offset)]).toEqual([member, memberOffset]);
        return `${offset / UNIT}`;
      }
    }
  };
}

function mirrorUnits(geometry: Geometry): UnitOf {
  const map = new MirrorMap(geometry);
  return (member, memberOffset) => {
    const offset = map.arrayOffsetOf(member, memberOffset);
    if (offset < 0) return "-";
    const copies = [...new Array(map.copyCount).keys()];
    const places = copies.map((copy) => [map.memberOf(offset, copy), map.memberOffsetOf(offset, copy)]);
    expect(places).toContainEqual([member, memberOffset]);
    return `${offset / UNIT}`;
  };
}

function zoneUnits(geometry: Geometry): UnitOf {
  const map = new ZoneMap(geometry);
  return (member, memberOffset) => {
    const offset = map.arrayOffsetOf(member, memberOffset);
    if (offset < 0) return "-";
    expect([map.memberOf(offset), map.memberOffsetOf(offset)]).toEqual([member, memberOffset]);
    return `${offset / UNIT}`;
  };
}

const UNITS_OF = { parity: stripeUnits, mirror: mirrorUnits, zones: zoneUnits };

describe("the kernel's arrays", () => {
  it("are those that it was asked for", () => {
    expect(ANSWERS.map(({ geometry }) => ({ ...geometry, memberCount: undefined }))).toEqual(
      kernelArrays().map((array) => ({ ...array, memberCount: undefined })),
    );
  });

  it.each([-1, 0, 1, 4, 5, 6, 10])("have the sizes and places that level %i says", (number) => {
    const level = levelOf(number)!;
    const answers = ANSWERS.filter(({ geometry }) => geometry.level === number);
    expect(answers.length).toBeGreaterThan(0);
    for (const { geometry, size, members } of answers) {
      expect(level.layoutName(geometry.layout, geometry.memberCount)).not.toBeNull();
      expect(level.sizeOf(geometry)).toBe(size);
      const unitOf = UNITS_OF[level.family](geometry);
      const said = members.map((units, member) => units.map((_, index) => unitOf(member, index * UNIT)));
      expect({ geometry, said }).toEqual({ geometry, said: members });
    }
  });
});

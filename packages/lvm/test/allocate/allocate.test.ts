import { fc, test } from "@fast-check/vitest";
import { describe, expect } from "vitest";
import { POLICIES, allocate } from "../../src/allocate/allocate.ts";
import type { AllocationRequest, Policy } from "../../src/allocate/allocate.ts";
import type { Place } from "../../src/allocate/places.ts";
import type { PhysicalArea, PhysicalVolume } from "../../src/index.ts";
import { uuidOf } from "../support/group-image.ts";

/** Physical volumes a, b, c… with these free runs: [start, count]. */
function placesOf(...free: readonly (readonly (readonly [number, number])[])[]): Place[] {
  return free.map((runs, index) => {
    const name = "abcdefgh".charAt(index);
    const physicalVolume: PhysicalVolume = {
      name,
      uuid: uuidOf(name),
      deviceHint: name,
      size: 0,
      dataOffset: 0,
      extentCount: 1000,
      status: ["ALLOCATABLE"],
      flags: [],
      tags: [],
      isMarkedMissing: false,
      section: null,
    };
    return { physicalVolume, free: runs.map(([start, count]) => ({ start, count })) };
  });
}

function area(
  places: readonly Place[],
  name: string,
  startExtent: number,
  extentCount: number,
): PhysicalArea {
  const { physicalVolume } = places.find((place) => place.physicalVolume.name === name)!;
  return { kind: "physical", physicalVolume, startExtent, extentCount };
}

/** "a:0-3 | b:5-6": sets behind one another, areas of a set beside one another. */
function show(found: readonly (readonly PhysicalArea[])[]): string {
  return found
    .map((set) =>
      set
        .map(
          ({ physicalVolume, startExtent, extentCount }) =>
            `${physicalVolume.name}:${startExtent}+${extentCount}`,
        )
        .join(" "),
    )
    .join(" | ");
}

function run(places: readonly Place[], request: Partial<AllocationRequest>): string {
  return show(
    allocate({
      places,
      policy: "normal",
      areaCount: 1,
      extentCount: 1,
      previous: null,
      isApproximate: false,
      ...request,
    }),
  );
}

describe("as LVM2 chooses:", () => {
  const places = placesOf(
    [
      [0, 10],
      [20, 30],
      [60, 5],
    ],
    [[0, 40]],
    [[5, 8]],
  );
  test.each<readonly [string, Partial<AllocationRequest>, string]>([
    ["the smallest run that is large enough, on the first device", { extentCount: 5 }, "a:60+5"],
    ["the largest of all where none on the first is enough", { extentCount: 35 }, "b:0+35"],
    ["what is left over goes on beside what was taken", { extentCount: 60 }, "b:0+40 | a:20+20"],
    ["then wherever there is room", { extentCount: 93 }, "b:0+40 | a:20+30 | a:0+10 | a:60+5 | c:5+8"],
    [
      "one area on each device for stripes, the largest first",
      { extentCount: 20, areaCount: 2 },
      "a:20+20 b:0+20",
    ],
    [
      "stripes stay on their devices as long as they can",
      { extentCount: 35, areaCount: 2 },
      "b:0+30 a:20+30 | b:30+5 a:0+5",
    ],
    ["contiguous: one run", { extentCount: 40, policy: "contiguous" }, "b:0+40"],
    [
      "cling: no other device",
      { extentCount: 45, policy: "cling", areaCount: 1, isApproximate: true },
      "b:0+40",
    ],
    [
      "anywhere: several stripes on one device where that is all there is",
      { extentCount: 15, areaCount: 4, policy: "anywhere" },
      "a:20+15 b:0+15 a:35+15 b:15+15",
    ],
  ])("%s", (_, request, expected) => {
    expect(run(places, request)).toBe(expected);
  });

  test("directly behind the last segment, else on its devices, else elsewhere", () => {
    const previous = [area(places, "a", 10, 10)];
    expect(run(places, { extentCount: 5, previous })).toBe("a:20+5");
    const apart = [area(places, "c", 0, 3)];
    expect(run(places, { extentCount: 5, previous: apart })).toBe("c:5+5");
    expect(run(places, { extentCount: 12, previous: apart })).toBe("c:5+8 | a:60+4");
    expect(run(places, { extentCount: 4, previous, policy: "contiguous" })).toBe("a:20+4");
    expect(() => run(places, { extentCount: 31, previous, policy: "contiguous" })).toThrow(/contiguous/);
    expect(() => run(places, { extentCount: 10, previous: apart, policy: "cling" })).toThrow(
      /policy cling|free extents/,
    );
  });
});

interface Wish {
  readonly free: readonly (readonly { readonly gap: number; readonly count: number }[])[];
  readonly policy: Policy;
  readonly areaCount: number;
  readonly extentCount: number;
  readonly isApproximate: boolean;
}

const wish: fc.Arbitrary<Wish> = fc.record({
  free: fc.array(
    fc.array(fc.record({ gap: fc.integer({ min: 1, max: 5 }), count: fc.integer({ min: 1, max: 12 }) }), {
      maxLength: 5,
    }),
    { minLength: 1, maxLength: 4 },
  ),
  policy: fc.constantFrom(...POLICIES),
  areaCount: fc.integer({ min: 1, max: 4 }),
  extentCount: fc.integer({ min: 1, max: 40 }),
  isApproximate: fc.boolean(),
});

test.prop([wish], { numRuns: 500 })(
  "whatever is found is free, found once, of equal length side by side, and as much as was asked for",
  ({ free, policy, areaCount, extentCount, isApproximate }) => {
    const runs = free.map((gaps) => {
      let at = 0;
      return gaps.map(({ gap, count }): [number, number] => {
        const start = at + gap;
        at = start + count;
        return [start, count];
      });
    });
    const places = placesOf(...runs);
    let found: readonly (readonly PhysicalArea[])[];
    try {
      found = allocate({ places, policy, areaCount, extentCount, previous: null, isApproximate });
    } catch (error) {
      expect(error).toMatchObject({ code: "CEV_NO_SPACE" });
      const total = runs.flat().reduce((sum, [, count]) => sum + count, 0);
      // One stripe anywhere, or without a demand for one run, finds all there is.
      if (areaCount === 1 && (policy === "normal" || policy === "anywhere"))
        expect(total).toBeLessThan(extentCount);
      return;
    }
    const left = new Map(
      places.map(({ physicalVolume, free: ranges }) => [
        physicalVolume.name,
        new Set(
          ranges.flatMap(({ start, count }) => Array.from({ length: count }, (_, index) => start + index)),
        ),
      ]),
    );
    let sum = 0;
    for (const set of found) {
      expect(set).toHaveLength(areaCount);
      const [{ extentCount: length }] = set as readonly [PhysicalArea];
      sum += length;
      for (const one of set) {
        expect(one.extentCount).toBe(length);
        for (let extent = one.startExtent; extent < one.startExtent + length; extent++)
          expect(left.get(one.physicalVolume.name)!.delete(extent)).toBe(true);
      }
      if (policy !== "anywhere")
        expect(new Set(set.map(({ physicalVolume }) => physicalVolume.name)).size).toBe(areaCount);
    }
    if (isApproximate) expect(sum).toBeLessThanOrEqual(extentCount);
    else expect(sum).toBe(extentCount);
    if (policy === "contiguous") expect(found).toHaveLength(1);
  },
);

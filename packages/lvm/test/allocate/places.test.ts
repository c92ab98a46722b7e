import { describe, expect, test } from "vitest";
import { findPlaces } from "../../src/allocate/places.ts";
import { decodeGroup, identifyGroup } from "../../src/model/group.ts";
import { groupText, linear, uuidOf } from "../support/group-image.ts";

/** Two physical volumes of 240 extents; 10 to 19 and 50 to 59 of the first are in use. */
const group = decodeGroup(
  identifyGroup(
    groupText({
      pvs: [uuidOf("a"), uuidOf("b")],
      volumes: {
        root: linear(uuidOf("r"), [
          [10, "pv0", 10],
          [10, "pv0", 50],
        ]),
      },
      pvMore: ["flags = []", 'flags = []\ntags = ["fast"]'],
    }),
  ),
);
const names = new Map([
  ["d0", uuidOf("a")],
  ["d1:x", uuidOf("b")],
  ["d1", uuidOf("b")],
]);

function free(...texts: readonly string[]): Record<string, readonly string[]> {
  return Object.fromEntries(
    findPlaces(group, texts, names).map(({ physicalVolume, free: ranges }) => [
      physicalVolume.name,
      ranges.map(({ start, count }) => `${start}-${start + count - 1}`),
    ]),
  );
}

describe("a place", () => {
  test.each<readonly [readonly string[], Record<string, readonly string[]>]>([
    [[], { pv0: ["0-9", "20-49", "60-239"], pv1: ["0-239"] }],
    [["d0"], { pv0: ["0-9", "20-49", "60-239"] }],
    [["d0:0-5"], { pv0: ["0-5"] }],
    [["d0:5-25"], { pv0: ["5-9", "20-25"] }],
    [["d0:100-"], { pv0: ["100-239"] }],
    [["d0:-5"], { pv0: ["0-5"] }],
    [["d0:7"], { pv0: ["7-7"] }],
    [["d0:20+5:60+2"], { pv0: ["20-24", "60-61"] }],
    [["d0:0-8", "d0:4-9"], { pv0: ["0-8", "9-9"] }],
    [["d0:10-19"], { pv0: [] }],
    [["d1:x:3-4"], { pv1: ["3-4"] }],
    [["@fast"], { pv1: ["0-239"] }],
    [["d1", "d0:0-1"], { pv1: ["0-239"], pv0: ["0-1"] }],
    [[uuidOf("b")], { pv1: ["0-239"] }],
  ])("%j gives what is free there", (texts, expected) => {
    expect(free(...texts)).toEqual(expected);
  });

  test.each([
    "d2",
    "@slow",
    "d0:",
    "d0:a",
    "d0:9-3",
    "d0:0-240",
    "d0:5+0",
    "d0:1-99999999999",
    "d0:1-2-3",
    "",
  ])("%j is refused", (text) => {
    expect(() => free(text)).toThrow(expect.objectContaining({ place: expect.anything() as unknown }));
  });
});

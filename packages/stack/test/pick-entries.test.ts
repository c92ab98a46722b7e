import { describe, expect, test } from "vitest";
import { pickEntries } from "../src/pick-entries.ts";

const description = {
  devices: {
    "d0.img": { driver: "@cev/hw-file", path: "d0.img" },
    "d1.img": { driver: "@cev/hw-file", path: "d1.img" },
    "d0.img/*": { driver: "@cev/partitions", lowers: ["d0.img"] },
    "md/data": { driver: "@cev/raid", lowers: ["d0.img/p1", "d1.img"] },
  },
  exports: { root: "md/data" },
};

describe("a part of a description", () => {
  test("has what the named devices stand on, and nothing else", () => {
    expect(Object.keys(pickEntries(description, ["d0.img/p1"]).devices)).toEqual(["d0.img", "d0.img/*"]);
    expect(Object.keys(pickEntries(description, ["d1.img", "md/data"]).devices)).toEqual([
      "d1.img",
      "d0.img",
      "d0.img/*",
      "md/data",
    ]);
  });

  test("cannot be had for a device that is not described", () => {
    expect(() => pickEntries(description, ["d2.img"])).toThrow(
      expect.objectContaining({ code: "CEV_NOT_FOUND" }),
    );
  });
});

import { CevError } from "@cev/core";
import { fc, test } from "@fast-check/vitest";
import { describe, expect, it } from "vitest";
import { assemble } from "../src/assemble/assemble.ts";
import type { Candidate } from "../src/assemble/assemble.ts";
import { FeatureFlag } from "../src/metadata/superblock-features.ts";
import { Role } from "../src/metadata/superblock.ts";
import type { Superblock } from "../src/metadata/superblock.ts";
import { makeSuperblock } from "./support/make-array.ts";

function member(index: number, changes: Partial<Superblock> = {}, name = `disk${index}`): Candidate {
  return { name, superblock: { ...makeSuperblock(index), ...changes } };
}

function codeOf(candidates: readonly Candidate[]): string {
  try {
    assemble(candidates);
  } catch (error) {
    if (error instanceof CevError) return error.code;
    throw error;
  }
  return "assembled";
}

describe("assembling", () => {
  test.prop([fc.shuffledSubarray([0, 1, 2, 3], { minLength: 1 })])(
    "puts members into their places, in whatever order they come, and names the missing",
    (indices) => {
      const { members, missing, leftOut } = assemble(indices.map((index) => member(index)));
      expect(members.map((found) => found?.name ?? null)).toEqual(
        [0, 1, 2, 3].map((index) => (indices.includes(index) ? `disk${index}` : null)),
      );
      expect(missing).toEqual([0, 1, 2, 3].filter((index) => !indices.includes(index)));
      expect(leftOut).toEqual([]);
    },
  );

  it("goes by the role, not by the device number", () => {
    const roles = [0, 1, Role.faulty, 3, 2];
    const late = member(4, { roles }, "late");
    const others = [0, 1, 3].map((index) => member(index, { roles }));
    expect(assemble([late, ...others]).members.map((found) => found?.name)).toEqual([
      "disk0",
      "disk1",
      "late",
      "disk3",
    ]);
  });

  it("leaves a stale member out and says how far it fell behind", () => {
    const { missing, leftOut } = assemble([member(0), member(1, { eventCount: 15n }), member(2), member(3)]);
    expect(missing).toEqual([1]);
    expect(leftOut).toHaveLength(1);
    expect(leftOut[0]!.name).toBe("disk1");
    expect(leftOut[0]!.reason).toContain("15");
    expect(leftOut[0]!.reason).toContain("17");
    expect(leftOut[0]!.index).toBe(1);
  });

  it("takes a member one event behind, for a crash may have come between two superblocks", () => {
    expect(assemble([member(0), member(1, { eventCount: 16n }), member(2), member(3)]).missing).toEqual([]);
  });

  it("does not take a member one event behind when that event was its failure", () => {
    const roles = [0, Role.faulty, 2, 3];
    const newer = [0, 2, 3].map((index) => member(index, { eventCount: 18n, roles }));
    const { missing, leftOut } = assemble([member(1), ...newer]);
    expect(missing).toEqual([1]);
    expect(leftOut[0]!.name).toBe("disk1");
  });

  it.each<[string, Partial<Superblock>]>([
    ["a spare", { deviceNumber: 9 }],
    ["one that has failed by its own superblock", { roles: [0, Role.faulty, 2, 3] }],
    ["one that is being rebuilt", { features: FeatureFlag.recovery, recoverySectors: 8 }],
    ["one that is to replace another", { features: FeatureFlag.replacement }],
  ])("leaves out %s", (_name, changes) => {
    const { missing, leftOut } = assemble([member(0), member(1, changes), member(2), member(3)]);
    expect(missing).toEqual([1]);
    expect(leftOut.map(({ name }) => name)).toEqual(["disk1"]);
  });

  it("does not let a spare with more events speak for the array", () => {
    const spare = member(9, { deviceNumber: 9, eventCount: 30n }, "spare");
    expect(assemble([spare, member(0), member(1), member(2)]).missing).toEqual([3]);
  });

  it.each<[string, readonly Candidate[]]>([
    ["two members with one role", [member(0), member(1), member(1, {}, "copy"), member(2)]],
    [
      "a member of another array",
      [member(0), member(1, { arrayUuid: "00000000:00000000:00000000:00000001" })],
    ],
    [
      "two arrays with one UUID, of different age",
      [member(0), member(1, { createdAt: { seconds: 5, microseconds: 0 } })],
    ],
    ["two arrays with one UUID, of different chunk sizes", [member(0), member(1, { chunkSectors: 16 })]],
    ["two arrays with one UUID, of different size", [member(0), member(1, { sizeSectors: 8 })]],
    ["two arrays with one UUID, of different layouts", [member(0), member(1, { layout: 0 })]],
    [
      "halves that were run apart",
      [
        member(0, { roles: [0, 1, 2, Role.faulty] }),
        member(1, { roles: [0, 1, 2, Role.faulty] }),
        member(3, { roles: [Role.faulty, 1, 2, 3] }),
      ],
    ],
  ])("refuses %s", (_name, candidates) => {
    expect(codeOf(candidates)).toBe("CEV_AMBIGUOUS");
    expect(codeOf([...candidates].reverse())).toBe("CEV_AMBIGUOUS");
  });

  it("takes the newer of two members with one role: the other is stale", () => {
    const { members, leftOut } = assemble([
      member(0),
      member(1, { eventCount: 3n }, "old"),
      member(1),
      member(2),
    ]);
    expect(members[1]?.name).toBe("disk1");
    expect(leftOut.map(({ name }) => name)).toEqual(["old"]);
  });

  it("finds nothing in nothing", () => {
    expect(codeOf([])).toBe("CEV_NOT_FOUND");
  });
});
